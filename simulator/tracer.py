"""Counting runs by call path: the native tracer, and its twin in Python where there is no compiler.

Both give the same counts; a test holds them against each other. ``_tracer.c`` says how it works.
"""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NEVER = 2**64 - 1
DEPTH_MAX = 256
_EXCEPTION_MARK = 0xFFFF_FFFF
_NOTHING_LOWER = 0xFFFF_FFFF

#: Why the tracer itself has stopped the emulator.
STOP_NONE, STOP_LIMIT, STOP_ATTENTION = 0, 1, 2


@dataclass(frozen=True)
class RunPrice:
    """What a new run costs and does to the stack pointer, and whether it ends in a call."""

    millicycles: int
    instructions: int
    moves_sp: bool
    sp_above_low: int
    is_call: bool


@dataclass(frozen=True)
class RunCount:
    """How often a run was executed in a context."""

    start: int
    end: int
    context: int
    is_taken: bool
    count: int


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
        """Count the open run at a stop."""

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


class _Run(ctypes.Structure):
    _fields_ = [
        ("start", ctypes.c_uint32),
        ("end", ctypes.c_uint32),
        ("context", ctypes.c_uint32),
        ("is_taken", ctypes.c_uint32),
        ("count", ctypes.c_uint64),
        ("millicycles", ctypes.c_uint64),
        ("instructions", ctypes.c_uint32),
        ("moves_sp", ctypes.c_uint32),
        ("sp_above_low", ctypes.c_int32),
        ("is_call", ctypes.c_uint32),
        ("is_used", ctypes.c_uint32),
    ]


class _Context(ctypes.Structure):
    _fields_ = [
        ("function", ctypes.c_uint32),
        ("parent", ctypes.c_uint32),
        ("first_child", ctypes.c_uint32),
        ("next_sibling", ctypes.c_uint32),
        ("calls", ctypes.c_uint64),
    ]


_OnNew = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Run))


class _State(ctypes.Structure):
    _fields_ = [
        ("code_base", ctypes.c_uint32),
        ("code_halves", ctypes.c_uint32),
        ("is_entry", ctypes.c_void_p),
        ("instruction_limit", ctypes.c_uint64),
        ("on_new", _OnNew),
        ("stop", ctypes.c_void_p),
        ("read_register", ctypes.c_void_p),
        ("sp_id", ctypes.c_int32),
        ("wants_attention", ctypes.c_uint32),
        ("deadline_millicycles", ctypes.c_uint64),
        ("lets_pass", ctypes.c_uint32),
        ("context", ctypes.c_uint32),
        ("depth", ctypes.c_uint32),
        ("run_start", ctypes.c_uint32),
        ("run_end", ctypes.c_uint32),
        ("is_open", ctypes.c_uint32),
        ("stop_reason", ctypes.c_uint32),
        ("lowest_sp", ctypes.c_uint32),
        ("millicycles", ctypes.c_uint64),
        ("instructions", ctypes.c_uint64),
        ("runs", ctypes.POINTER(_Run)),
        ("capacity", ctypes.c_uint64),
        ("used", ctypes.c_uint64),
        ("contexts", ctypes.POINTER(_Context)),
        ("context_capacity", ctypes.c_uint32),
        ("context_count", ctypes.c_uint32),
        ("frames", ctypes.c_uint64 * DEPTH_MAX),
    ]


def native_library() -> Path | None:
    """Return the built native tracer, if there is one."""
    folder = Path(str(files("tinysim.simulator")))
    candidates = (folder / f"_tracer{suffix}" for suffix in EXTENSION_SUFFIXES)
    return next((path for path in candidates if path.exists()), None)


class NativeTracer(Tracer):
    """``_tracer.c`` behind ctypes."""

    def __init__(
        self, library: Path, engine: Engine, code: CodeMap, price: Pricer, instruction_limit: int
    ) -> None:
        self._library = ctypes.CDLL(str(library))
        self._price, self._engine = price, engine
        self._is_entry = np.ascontiguousarray(code.is_entry)
        self._on_new = _OnNew(self._new)
        self._state = _State(
            code_base=code.base,
            code_halves=len(self._is_entry),
            is_entry=self._is_entry.ctypes.data,
            instruction_limit=instruction_limit,
            on_new=self._on_new,
            stop=engine.stop_address,
            read_register=engine.read_register_address,
            sp_id=engine.sp_id,
            deadline_millicycles=NEVER,
            lowest_sp=_NOTHING_LOWER,
        )
        self._close = self._library.ts_tracer_close
        self._close.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32]

    def __del__(self) -> None:
        self._library.ts_tracer_free(ctypes.byref(self._state))

    @property
    def callback_address(self) -> int:
        """Address of the block callback."""
        pointer = ctypes.cast(self._library.ts_tracer_block, ctypes.c_void_p)
        assert pointer.value is not None
        return pointer.value

    @property
    def state_address(self) -> int:
        """Address of the callback's user data."""
        return ctypes.addressof(self._state)

    def _new(self, pointer: ctypes._Pointer[_Run]) -> None:
        run = pointer.contents
        try:
            price = self._price(run.start, run.end, bool(run.is_taken))
        except BaseException as error:  # cannot cross C: the machine raises it
            self.error = error
            self._state.stop_reason = STOP_LIMIT
            self._engine.stop()
            return
        run.millicycles = price.millicycles
        run.instructions = price.instructions
        run.moves_sp = price.moves_sp
        run.sp_above_low = price.sp_above_low
        run.is_call = price.is_call

    def enter(self, function: int) -> None:
        """Begin in a function that the host or an exception calls."""
        self._library.ts_tracer_enter(ctypes.byref(self._state), ctypes.c_uint32(function))

    def leave(self) -> None:
        """Leave what ``enter`` began, with all that it called."""
        self._library.ts_tracer_leave(ctypes.byref(self._state))

    def close(self, is_taken: bool) -> None:
        """Count the open run at a stop."""
        self._close(self.state_address, self._engine.handle, is_taken)

    def clear(self) -> None:
        """Forget counts, keep what runs cost and the shape of the call tree."""
        self._library.ts_tracer_clear(ctypes.byref(self._state))
        self.error = None

    def watch(self, *, attention: bool, deadline_millicycles: int) -> None:
        """Stop before the next block, or before the first one at a time; the very next runs."""
        self._state.wants_attention = attention
        self._state.deadline_millicycles = deadline_millicycles
        self._state.lets_pass = True

    def watch_next_block(self, deadline_millicycles: int) -> None:
        """Stop before the next block, whatever it is, and move the deadline."""
        self._state.wants_attention = True
        self._state.deadline_millicycles = deadline_millicycles

    def spend(self, millicycles: int) -> None:
        """Let time pass that no instruction takes: exceptions, sleep."""
        self._state.millicycles += millicycles

    def counts(self) -> Iterator[RunCount]:
        """Yield every run that was executed, in order of address."""
        if not self._state.capacity:
            return
        raw = ctypes.string_at(self._state.runs, self._state.capacity * ctypes.sizeof(_Run))
        table = np.frombuffer(raw, dtype=_Run)
        executed = np.sort(table[(table["is_used"] != 0) & (table["count"] != 0)], order=_ORDER)
        for row in executed:
            yield RunCount(
                int(row["start"]),
                int(row["end"]),
                int(row["context"]),
                bool(row["is_taken"]),
                int(row["count"]),
            )

    def contexts(self) -> tuple[Context, ...]:
        """Return the call tree."""
        rows = self._state.contexts[: self._state.context_count]
        return tuple(Context(row.function, row.parent, row.calls) for row in rows)

    @property
    def millicycles(self) -> int:
        """Thousandths of a cycle up to the last taken branch."""
        return int(self._state.millicycles)

    @property
    def instructions(self) -> int:
        """Instructions up to the last taken branch."""
        return int(self._state.instructions)

    @property
    def lowest_sp(self) -> int:
        """Lowest stack pointer seen."""
        return int(self._state.lowest_sp)

    @property
    def open_start(self) -> int | None:
        """Where the run that is being executed began."""
        return int(self._state.run_start) if self._state.is_open else None

    @property
    def stop_reason(self) -> int:
        """Why the tracer itself has stopped the emulator."""
        return int(self._state.stop_reason)

    def resume(self) -> None:
        """Forget the stop."""
        self._state.stop_reason = STOP_NONE


_ORDER = ["start", "end", "context", "is_taken"]


class PythonTracer(Tracer):
    """The slow twin: same counts, some forty times slower than the native one."""

    def __init__(
        self, engine: Engine, code: CodeMap, price: Pricer, instruction_limit: int
    ) -> None:
        self._engine, self._code, self._price = engine, code, price
        self._limit = instruction_limit
        self._prices: dict[tuple[int, int, bool], RunPrice] = {}
        self._functions = [(0, 0)]
        self._children: dict[tuple[int, int], int] = {}
        self._frames: list[tuple[int, int]] = []
        self._context = 0
        self._attention, self._deadline, self._lets_pass = False, NEVER, False
        self.clear()

    def clear(self) -> None:
        """Forget counts, keep what runs cost and the shape of the call tree."""
        self._counts: dict[tuple[int, int, int, bool], int] = {}
        self._calls: dict[int, int] = {}
        self._start = self._end = 0
        self._is_open = False
        self._stop_reason = STOP_NONE
        self._lowest_sp = _NOTHING_LOWER
        self._millicycles = self._instructions = 0
        self.error = None

    def enter(self, function: int) -> None:
        """Begin in a function that the host or an exception calls."""
        self._push(_EXCEPTION_MARK)
        self._call(0, function)

    def leave(self) -> None:
        """Leave what ``enter`` began, with all that it called."""
        while self._frames:
            return_address, self._context = self._frames.pop()
            if return_address == _EXCEPTION_MARK:
                return

    def watch(self, *, attention: bool, deadline_millicycles: int) -> None:
        """Stop before the next block, or before the first one at a time; the very next runs."""
        self._attention, self._deadline = attention, deadline_millicycles
        self._lets_pass = True

    def watch_next_block(self, deadline_millicycles: int) -> None:
        """Stop before the next block, whatever it is, and move the deadline."""
        self._attention, self._deadline = True, deadline_millicycles

    def spend(self, millicycles: int) -> None:
        """Let time pass that no instruction takes: exceptions, sleep."""
        self._millicycles += millicycles

    def block(self, address: int, size: int) -> None:
        """Take note that a block is about to run."""
        follows = self._is_open and address == self._end
        is_due = self._attention or self._millicycles >= self._deadline
        if is_due and not self._lets_pass:
            price = self._close(is_taken=not follows)
            if not follows and self._stop_reason == STOP_NONE:
                self._follow(address, price)
            if self._stop_reason == STOP_NONE:
                self._halt(STOP_ATTENTION)
            return
        self._lets_pass = False
        if follows:
            self._end = address + size
            return
        if self._is_open:
            price = self._close(is_taken=True)
            if self._stop_reason != STOP_NONE:
                return
            self._follow(address, price)
        self._start, self._end, self._is_open = address, address + size, True

    def close(self, is_taken: bool) -> None:
        """Count the open run at a stop."""
        self._close(is_taken)

    def _close(self, is_taken: bool) -> RunPrice | None:
        """Count the open run and return its price."""
        if not self._is_open:
            return None
        self._is_open = False
        key = (self._start, self._end, is_taken)
        if (price := self._prices.get(key)) is None:
            try:
                price = self._prices[key] = self._price(*key)
            except BaseException as error:  # cannot cross the emulator: the machine raises it
                self.error = error
                self._halt(STOP_LIMIT)
                return None
        counted = (self._start, self._end, self._context, is_taken)
        self._counts[counted] = self._counts.get(counted, 0) + 1
        self._millicycles += price.millicycles
        self._instructions += price.instructions
        if price.moves_sp:
            self._lowest_sp = min(self._lowest_sp, self._engine.read_sp() - price.sp_above_low)
        if self._instructions >= self._limit:
            self._halt(STOP_LIMIT)
        return price

    def _follow(self, start: int, price: RunPrice | None) -> None:
        """Follow a taken branch in the call tree."""
        if price is not None and price.is_call:
            is_deep = len(self._frames) == DEPTH_MAX  # recursion: contexts end somewhere
            self._push(self._end)
            self._call(self._context, start, reuse=is_deep)
        elif self._frames and self._frames[-1][0] == start:
            self._context = self._frames.pop()[1]
        elif self._is_entry(start) and self._functions[self._context][0] != start:
            self._call(self._context, start, reuse=True)  # a tail call

    def _is_entry(self, address: int) -> bool:
        half = (address - self._code.base) >> 1
        return 0 <= half < len(self._code.is_entry) and bool(self._code.is_entry[half])

    def _push(self, return_address: int) -> None:
        self._frames = [*self._frames[1 - DEPTH_MAX :], (return_address, self._context)]

    def _call(self, parent: int, function: int, reuse: bool = False) -> None:
        """Go to a function's context; ``reuse`` takes one that is already on the path."""
        on_path = parent if reuse else 0
        while on_path and self._functions[on_path][0] != function:
            on_path = self._functions[on_path][1]
        key = (parent, function)
        if not on_path and key not in self._children:
            self._children[key] = len(self._functions)
            self._functions.append((function, parent))
        self._context = on_path or self._children[key]
        self._calls[self._context] = self._calls.get(self._context, 0) + 1

    def _halt(self, reason: int) -> None:
        self._stop_reason = reason
        self._engine.stop()

    def counts(self) -> Iterator[RunCount]:
        """Yield every run that was executed, in order of address."""
        for start, end, context, is_taken in sorted(self._counts):
            count = self._counts[start, end, context, is_taken]
            yield RunCount(start, end, context, is_taken, count)

    def contexts(self) -> tuple[Context, ...]:
        """Return the call tree."""
        return tuple(
            Context(function, parent, self._calls.get(index, 0))
            for index, (function, parent) in enumerate(self._functions)
        )

    @property
    def millicycles(self) -> int:
        """Thousandths of a cycle up to the last taken branch."""
        return self._millicycles

    @property
    def instructions(self) -> int:
        """Instructions up to the last taken branch."""
        return self._instructions

    @property
    def lowest_sp(self) -> int:
        """Lowest stack pointer seen."""
        return self._lowest_sp

    @property
    def open_start(self) -> int | None:
        """Where the run that is being executed began."""
        return self._start if self._is_open else None

    @property
    def stop_reason(self) -> int:
        """Why the tracer itself has stopped the emulator."""
        return self._stop_reason

    def resume(self) -> None:
        """Forget the stop."""
        self._stop_reason = STOP_NONE
