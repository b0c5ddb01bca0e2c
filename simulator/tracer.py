"""Counting runs: the native tracer, and its twin in Python where there is no C compiler.

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


@dataclass(frozen=True)
class RunPrice:
    """What a new run costs and does to the stack pointer."""

    millicycles: int
    instructions: int
    moves_sp: bool
    sp_above_low: int


@dataclass(frozen=True)
class RunCount:
    """How often a run was executed in a layer."""

    start: int
    end: int
    layer: int
    is_taken: bool
    count: int


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
    """Which layer each halfword of code belongs to; 0 is whoever called it."""

    base: int
    owner: NDArray[np.uint16]


class Tracer(ABC):
    """Counts runs between ``clear`` and ``close``."""

    error: BaseException | None = None

    @abstractmethod
    def close(self, is_taken: bool) -> None:
        """Count the open run at a stop."""

    @abstractmethod
    def clear(self) -> None:
        """Forget counts, keep what runs cost."""

    @abstractmethod
    def counts(self) -> Iterator[RunCount]:
        """Yield every run that was executed."""

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
    def is_stopped(self) -> bool:
        """Whether the tracer itself has stopped the run, at a limit or an error."""


class _Run(ctypes.Structure):
    _fields_ = [
        ("start", ctypes.c_uint32),
        ("end", ctypes.c_uint32),
        ("layer", ctypes.c_uint32),
        ("is_taken", ctypes.c_uint32),
        ("count", ctypes.c_uint64),
        ("millicycles", ctypes.c_uint64),
        ("instructions", ctypes.c_uint32),
        ("moves_sp", ctypes.c_uint32),
        ("sp_above_low", ctypes.c_int32),
        ("is_used", ctypes.c_uint32),
    ]


_OnNew = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Run))


class _State(ctypes.Structure):
    _fields_ = [
        ("code_base", ctypes.c_uint32),
        ("code_halves", ctypes.c_uint32),
        ("owner", ctypes.c_void_p),
        ("instruction_limit", ctypes.c_uint64),
        ("on_new", _OnNew),
        ("stop", ctypes.c_void_p),
        ("read_register", ctypes.c_void_p),
        ("sp_id", ctypes.c_int32),
        ("layer", ctypes.c_uint32),
        ("run_start", ctypes.c_uint32),
        ("run_end", ctypes.c_uint32),
        ("is_open", ctypes.c_uint32),
        ("is_stopped", ctypes.c_uint32),
        ("lowest_sp", ctypes.c_uint32),
        ("millicycles", ctypes.c_uint64),
        ("instructions", ctypes.c_uint64),
        ("runs", ctypes.POINTER(_Run)),
        ("capacity", ctypes.c_uint64),
        ("used", ctypes.c_uint64),
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
        self._owner = np.ascontiguousarray(code.owner)
        self._on_new = _OnNew(self._new)
        self._state = _State(
            code_base=code.base,
            code_halves=len(self._owner),
            owner=self._owner.ctypes.data,
            instruction_limit=instruction_limit,
            on_new=self._on_new,
            stop=engine.stop_address,
            read_register=engine.read_register_address,
            sp_id=engine.sp_id,
            layer=1,
            lowest_sp=0xFFFF_FFFF,
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
            self._state.is_stopped = 1
            self._engine.stop()
            return
        run.millicycles = price.millicycles
        run.instructions = price.instructions
        run.moves_sp = price.moves_sp
        run.sp_above_low = price.sp_above_low

    def close(self, is_taken: bool) -> None:
        """Count the open run at a stop."""
        self._close(self.state_address, self._engine.handle, is_taken)

    def clear(self) -> None:
        """Forget counts, keep what runs cost."""
        self._library.ts_tracer_clear(ctypes.byref(self._state))
        self.error = None

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
                int(row["layer"]),
                bool(row["is_taken"]),
                int(row["count"]),
            )

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
    def is_stopped(self) -> bool:
        """Whether the tracer itself has stopped the run."""
        return bool(self._state.is_stopped)


_ORDER = ["start", "end", "layer", "is_taken"]


class PythonTracer(Tracer):
    """The slow twin: same counts, some forty times slower than the native one."""

    def __init__(
        self, engine: Engine, code: CodeMap, price: Pricer, instruction_limit: int
    ) -> None:
        self._engine, self._code, self._price = engine, code, price
        self._limit = instruction_limit
        self._prices: dict[tuple[int, int, bool], RunPrice] = {}
        self._layer = 1
        self.clear()

    def clear(self) -> None:
        """Forget counts, keep what runs cost."""
        self._counts: dict[tuple[int, int, int, bool], int] = {}
        self._start = self._end = 0
        self._is_open = self._is_stopped = False
        self._lowest_sp = 0xFFFF_FFFF
        self._millicycles = self._instructions = 0
        self.error = None

    def block(self, address: int, size: int) -> None:
        """Take note that a block is about to run."""
        if self._is_open and address == self._end:
            self._end = address + size
            return
        self.close(is_taken=True)
        if self._is_stopped:
            return
        half = (address - self._code.base) >> 1
        if 0 <= half < len(self._code.owner) and self._code.owner[half]:
            self._layer = int(self._code.owner[half])
        self._start, self._end, self._is_open = address, address + size, True

    def close(self, is_taken: bool) -> None:
        """Count the open run at a stop."""
        if not self._is_open:
            return
        self._is_open = False
        key = (self._start, self._end, is_taken)
        if (price := self._prices.get(key)) is None:
            try:
                price = self._prices[key] = self._price(*key)
            except BaseException as error:  # cannot cross the emulator: the machine raises it
                self.error = error
                self._halt()
                return
        counted = (self._start, self._end, self._layer, is_taken)
        self._counts[counted] = self._counts.get(counted, 0) + 1
        self._millicycles += price.millicycles
        self._instructions += price.instructions
        if price.moves_sp:
            self._lowest_sp = min(self._lowest_sp, self._engine.read_sp() - price.sp_above_low)
        if self._instructions >= self._limit:
            self._halt()

    def _halt(self) -> None:
        self._is_stopped = True
        self._engine.stop()

    def counts(self) -> Iterator[RunCount]:
        """Yield every run that was executed, in order of address."""
        for start, end, layer, is_taken in sorted(self._counts):
            count = self._counts[start, end, layer, is_taken]
            yield RunCount(start, end, layer, is_taken, count)

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
    def is_stopped(self) -> bool:
        """Whether the tracer itself has stopped the run."""
        return self._is_stopped
