"""The native tracer: ``native/tracer.c`` behind ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.resources import files
from pathlib import Path

import numpy as np

from tinysim.errors import ToolchainError
from tinysim.simulator.tracer import (
    BRANCH_CERTAIN,
    COUNTERS,
    DEPTH_MAX,
    NEVER,
    NOTHING_LOWER,
    STOP_LIMIT,
    STOP_NONE,
    CodeMap,
    Context,
    Engine,
    Forecast,
    Pricer,
    RunCount,
    Tracer,
)

_RECENT, _BRANCHES = 1024, 1 << 14
_ORDER = ["start", "end", "context", "is_taken"]


class _Run(ctypes.Structure):
    _fields_ = [
        ("start", ctypes.c_uint32),
        ("end", ctypes.c_uint32),
        ("context", ctypes.c_uint32),
        ("is_taken", ctypes.c_uint32),
        ("count", ctypes.c_uint64),
        ("stalls", ctypes.c_uint64 * 4),
        ("millicycles", ctypes.c_uint64),
        ("instructions", ctypes.c_uint32),
        ("moves_sp", ctypes.c_uint32),
        ("sp_above_low", ctypes.c_int32),
        ("left_by", ctypes.c_uint32),
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
_OnBranch = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32)


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
        ("mispredict_millicycles", ctypes.c_uint32),
        ("on_branch", _OnBranch),
        ("wants_attention", ctypes.c_uint32),
        ("deadline_millicycles", ctypes.c_uint64),
        ("stack_floor", ctypes.c_uint32),
        ("lets_pass", ctypes.c_uint32),
        ("context", ctypes.c_uint32),
        ("depth", ctypes.c_uint32),
        ("run_start", ctypes.c_uint32),
        ("run_end", ctypes.c_uint32),
        ("is_open", ctypes.c_uint32),
        ("has_stalls", ctypes.c_uint32),
        ("executed", ctypes.c_uint64),
        ("executed_before", ctypes.c_uint64),
        ("run_stalls", ctypes.c_uint64 * 4),
        ("is_arriving", ctypes.c_uint32),
        ("from_end", ctypes.c_uint32),
        ("from_left_by", ctypes.c_uint32),
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
        ("recent", ctypes.c_void_p * _RECENT),
        ("loop", ctypes.c_void_p),
        ("loop_size", ctypes.c_uint32),
        ("loop_left", ctypes.c_uint32),
        ("loop_total", ctypes.c_uint32),
        ("block_start", ctypes.c_uint32),
        ("history", ctypes.c_uint32),
        ("counters", ctypes.c_uint8 * COUNTERS),
        ("branches", ctypes.c_uint32 * (3 * _BRANCHES)),
    ]


#: What native/tracer.h calls TRACER_VERSION.
VERSION = 2


def native_library() -> Path | None:
    """Return the built native tracer, if there is one."""
    folder = Path(str(files("tinysim.simulator")))
    candidates = (folder / f"_tracer{suffix}" for suffix in EXTENSION_SUFFIXES)
    return next((path for path in candidates if path.exists()), None)


def _load(path: Path) -> ctypes.CDLL:
    """Load the library, unless it was built from other sources than these: it would miscount."""
    library = ctypes.CDLL(str(path))
    version = getattr(library, "ts_tracer_version", None)
    if version is None or version() != VERSION:
        raise ToolchainError(
            "was built from older sources", where=str(path), fix="build it again: make setup"
        )
    return library


class NativeTracer(Tracer):
    """The C side: state, callbacks, counts."""

    def __init__(
        self,
        library: Path,
        engine: Engine,
        code: CodeMap,
        price: Pricer,
        forecast: Forecast,
        instruction_limit: int,
    ) -> None:
        self.library = _load(library)
        self._price, self._engine = price, engine
        self._is_entry = np.ascontiguousarray(code.is_entry)
        self._forecast = forecast
        self._on_new, self._on_branch = _OnNew(self._new), _OnBranch(self._branch)
        self._state = _State(
            code_base=code.base,
            code_halves=len(self._is_entry),
            is_entry=self._is_entry.ctypes.data,
            instruction_limit=instruction_limit,
            on_new=self._on_new,
            on_branch=self._on_branch,
            mispredict_millicycles=forecast.mispredict_cycles * 1000,
            stop=engine.stop_address,
            read_register=engine.read_register_address,
            sp_id=engine.sp_id,
            deadline_millicycles=NEVER,
            lowest_sp=NOTHING_LOWER,
        )
        self._close = self.library.ts_tracer_close
        self._pause = self.library.ts_tracer_pause
        for function in (self._close, self._pause):
            function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32]

    def __del__(self) -> None:
        if hasattr(self, "_state"):  # or the library was refused
            self.library.ts_tracer_free(ctypes.byref(self._state))

    @property
    def callback_address(self) -> int:
        """Address of the block callback."""
        pointer = ctypes.cast(self.library.ts_tracer_block, ctypes.c_void_p)
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
            self.fail(error)
            return
        run.millicycles = price.millicycles
        run.instructions = price.instructions
        run.moves_sp = price.moves_sp
        run.sp_above_low = price.sp_above_low
        run.left_by = price.left_by

    def _flush(self) -> None:
        """Have the rounds of a loop that goes on counted."""
        self.library.ts_tracer_flush(ctypes.byref(self._state))

    def fail(self, error: BaseException) -> None:
        """Stop with an error, which the machine raises."""
        self.error = error
        self._state.stop_reason = STOP_LIMIT
        self._engine.stop()

    def _branch(self, start: int, end: int) -> int:
        try:
            return self._forecast.kind_of(start, end)
        except BaseException as error:  # cannot cross C: the machine raises it
            self.fail(error)
            return BRANCH_CERTAIN

    def enter(self, function: int) -> None:
        """Begin in a function that the host or an exception calls."""
        self.library.ts_tracer_enter(ctypes.byref(self._state), ctypes.c_uint32(function))

    def leave(self) -> None:
        """Leave what ``enter`` began, with all that it called."""
        self.library.ts_tracer_leave(ctypes.byref(self._state))

    def close(self, is_taken: bool) -> None:
        """Count the open run at a stop: the program goes on, or is put, somewhere else."""
        self._close(self.state_address, self._engine.handle, is_taken)

    def pause(self, address: int) -> None:
        """Count the open run at a stop before an address, where the program will go on."""
        self._pause(self.state_address, self._engine.handle, address)

    def arrive(self, address: int) -> None:
        """Follow the branch that was taken before a pause, before anything else happens."""
        self.library.ts_tracer_arrive(ctypes.byref(self._state), ctypes.c_uint32(address))

    def lower_stack(self, sp: int) -> None:
        """Take note of how far down the stack went without an instruction."""
        self._state.lowest_sp = min(self._state.lowest_sp, sp)

    def clear(self) -> None:
        """Forget counts, keep what runs cost and the shape of the call tree."""
        self.library.ts_tracer_clear(ctypes.byref(self._state))
        self.error = None

    def watch(self, *, attention: bool, deadline_millicycles: int) -> None:
        """Stop before the next block, or before the first one at a time; the very next runs."""
        self._flush()
        self._state.wants_attention = attention
        self._state.deadline_millicycles = deadline_millicycles
        self._state.lets_pass = True

    def watch_next_block(self, deadline_millicycles: int) -> None:
        """Stop before the next block, whatever it is, and move the deadline."""
        self._flush()
        self._state.wants_attention = True
        self._state.deadline_millicycles = deadline_millicycles

    def guard_stack(self, floor: int) -> None:
        """Stop behind a run in which SP went below an address."""
        self._state.stack_floor = floor

    def spend(self, millicycles: int) -> None:
        """Let time pass that no instruction takes: exceptions, sleep."""
        self._flush()
        self._state.millicycles += millicycles

    def counts(self) -> Iterator[RunCount]:
        """Yield every run that was executed, in order of address."""
        self._flush()
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
                tuple(int(stall) for stall in row["stalls"]),
            )

    def contexts(self) -> tuple[Context, ...]:
        """Return the call tree."""
        rows = self._state.contexts[: self._state.context_count]
        return tuple(Context(row.function, row.parent, row.calls) for row in rows)

    @property
    def millicycles(self) -> int:
        """Thousandths of a cycle up to the last taken branch."""
        self._flush()
        return int(self._state.millicycles)

    @property
    def instructions(self) -> int:
        """Instructions up to the last taken branch."""
        self._flush()
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
