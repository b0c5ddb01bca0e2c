"""Counting runs by call path: what a tracer is told and what it gives.

There are two, which count the same: ``native_tracer.py`` and, where there is no C compiler, its
slow twin ``python_tracer.py``. ``native/tracer.c`` says how they work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEVER = 2**64 - 1
DEPTH_MAX = 256
#: Stands in the frames for where the host or an exception came in.
EXCEPTION_MARK = 0xFFFF_FFFF
#: The lowest stack pointer while none has been seen.
NOTHING_LOWER = 0xFFFF_FFFF

#: Why the tracer itself has stopped the emulator.
STOP_NONE, STOP_LIMIT, STOP_ATTENTION, STOP_STACK, STOP_UNALIGNED = 0, 1, 2, 3, 4

#: How a run is left: by a branch, a call, or as functions return.
LEFT_BY_BRANCH, LEFT_BY_CALL, LEFT_BY_RETURN = 0, 1, 2
#: How the branch at the end of a block is predicted.
BRANCH_CERTAIN, BRANCH_CONDITIONAL, BRANCH_INDIRECT = 1, 2, 3
#: Two-bit counters that predict, and how many of the last branches choose among them.
COUNTERS, HISTORY_BITS = 1 << 9, 8


@dataclass(frozen=True)
class Forecast:
    """How a core predicts branches: what a miss costs (0: it does not), and what ends a block."""

    mispredict_cycles: int
    kind_of: Callable[[int, int], int]


@dataclass(frozen=True)
class RunPrice:
    """What a new run costs and does to the stack pointer, and how it is left."""

    millicycles: int
    instructions: int
    moves_sp: bool
    sp_above_low: int
    left_by: int


@dataclass(frozen=True)
class RunCount:
    """How often a run was executed in a context, and what it waited for that its code does not say.

    ``stall_millicycles`` are those of instruction fetches, data, divisions and wrong predictions.
    """

    start: int
    end: int
    context: int
    is_taken: bool
    count: int
    stall_millicycles: tuple[int, ...] = (0, 0, 0, 0)


@dataclass(frozen=True)
class Context:
    """A node of the call tree: a function's address, its caller's context and its calls.

    Context 0 is the root and has no function.
    """

    function: int
    parent: int
    calls: int


#: (start, end, is_taken) -> price; asked once a run.
Pricer = Callable[[int, int, bool], RunPrice]


@dataclass(frozen=True)
class Engine:
    """The emulator, as the tracer needs it: its handle and two of its functions' addresses."""

    handle: int
    stop_address: int
    read_register_address: int
    sp_id: int
    stop: Callable[[], None]
    read_sp: Callable[[], int]


@dataclass(frozen=True, eq=False)
class CodeMap:
    """Where functions begin, a flag a halfword from ``base`` on; for calls that end in a jump."""

    base: int
    is_entry: NDArray[np.uint8]


class Tracer(ABC):
    """Counts runs between ``clear`` and ``close``."""

    error: BaseException | None = None

    @abstractmethod
    def enter(self, function: int) -> None:
        """Begin in a function that the host or an exception calls."""

    @abstractmethod
    def leave(self) -> None:
        """Leave what ``enter`` began, with all that it called."""

    @abstractmethod
    def close(self, is_taken: bool) -> None:
        """Count the open run at a stop: the program goes on, or is put, somewhere else."""

    @abstractmethod
    def pause(self, address: int) -> None:
        """Count the open run at a stop before an address, where the program will go on."""

    @abstractmethod
    def arrive(self, address: int) -> None:
        """Follow the branch that was taken before a pause, before anything else happens."""

    @abstractmethod
    def lower_stack(self, sp: int) -> None:
        """Take note of how far down the stack went without an instruction."""

    @abstractmethod
    def clear(self) -> None:
        """Forget counts, keep what runs cost and the shape of the call tree."""

    @abstractmethod
    def watch(self, *, attention: bool, deadline_millicycles: int) -> None:
        """Stop before the next block, or before the first one at a time; the very next runs."""

    @abstractmethod
    def watch_next_block(self, deadline_millicycles: int) -> None:
        """Stop before the next block, whatever it is, and move the deadline."""

    @abstractmethod
    def guard_stack(self, floor: int) -> None:
        """Stop behind a run in which SP went below an address."""

    @abstractmethod
    def spend(self, millicycles: int) -> None:
        """Let time pass that no instruction takes: exceptions, sleep."""

    @abstractmethod
    def counts(self) -> Iterator[RunCount]:
        """Yield every run that was executed, in order of address."""

    @abstractmethod
    def contexts(self) -> tuple[Context, ...]:
        """Return the call tree."""

    @property
    @abstractmethod
    def millicycles(self) -> int:
        """Thousandths of a cycle up to the last taken branch."""

    @property
    @abstractmethod
    def instructions(self) -> int:
        """Instructions up to the last taken branch."""

    @property
    @abstractmethod
    def lowest_sp(self) -> int:
        """Lowest stack pointer seen."""

    @property
    @abstractmethod
    def open_start(self) -> int | None:
        """Where the run that is being executed began."""

    @property
    @abstractmethod
    def stop_reason(self) -> int:
        """Why the tracer itself has stopped the emulator; ``STOP_NONE`` if it has not."""

    @abstractmethod
    def resume(self) -> None:
        """Forget the stop."""
