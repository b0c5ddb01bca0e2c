"""How far cycle counts can be trusted: error bands from what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, log
from statistics import fmean

from tinysim.boards import Board, load_board
from tinysim.errors import MeasurementError
from tinysim.simulator.cores import Core
from tinysim.simulator.profile import Timing
from tinysim.traces import Measurement, load_trace, measured_boards

#: A band is what was found, and this much on either side: the next program is another one.
MARGIN = 0.02
#: From so many programs on, a board or a core has a band of its own.
ENOUGH = 3
#: How far too low time can be where memory makes the core wait and nobody counts that.
UNCOUNTED_WAITS_LOW = -0.28
_UNCOUNTED_SOURCE = "worst of 20 measured images at fidelity 1, AD on the NUCLEO-G0B1RE"


@dataclass(frozen=True)
class Statistics:
    """Errors of several runs; ``geometric_mean`` is of simulated over measured."""

    count: int
    mean_absolute: float
    worst: float
    low: float
    high: float
    geometric_mean: float


def statistics(rows: Sequence[Measurement]) -> Statistics:
    """Return what the errors of at least one run are like."""
    errors = [row.error for row in rows]
    return Statistics(
        len(errors),
        fmean(abs(error) for error in errors),
        max(errors, key=abs),
        min(errors),
        max(errors),
        exp(fmean(log(1 + error) for error in errors)),
    )


def timing_of(board: Board, core: Core, fidelity: int) -> Timing:
    """Return grade and error band of a run.

    Grade A is what was found on the board, B on the core (and what the board's memory may add to
    it), C what the core's manuals let expect.
    """
    if fidelity < 3 and (board.caches or board.banks):
        low = min(_core_band(core).error_low, UNCOUNTED_WAITS_LOW)
        source = f"memory waits not counted: {_UNCOUNTED_SOURCE}"
        return Timing("C", low, _core_band(core).error_high, fidelity, source)
    if board.name in measured_boards():
        every = load_trace(board.name).measurements
        rows = [row for row in every if not row.is_rebuilt]
        rows = rows if len(rows) >= ENOUGH else list(every)
        if len(rows) >= ENOUGH:
            found = statistics(rows)
            source = f"{found.count} programs measured on this board (docs/accuracy.md)"
            return Timing("A", found.low - MARGIN, found.high + MARGIN, fidelity, source)
    return _with_memory(_core_band(core), board, fidelity)


def _with_memory(core: Timing, board: Board, fidelity: int) -> Timing:
    """Widen a core's band by what is not known of a board's memory."""
    memory = board.memory_accuracy
    if memory is None:
        raise MeasurementError(
            "nothing was measured on it, and its file does not say how well its memory is known",
            where=f"board {board.name}",
            fix="give it a [memory_accuracy] table, see docs/boards.md",
        )
    return Timing(
        core.grade,
        (1 + core.error_low) * (1 + memory.error_low) - 1,
        (1 + core.error_high) * (1 + memory.error_high) - 1,
        fidelity,
        f"core: {core.source}; memory: {memory.source}",
    )


def _core_band(core: Core) -> Timing:
    """Return what is known of a core, wherever it was measured."""
    rows = _measured_on(core.name)
    if len(rows) >= ENOUGH:
        found = statistics(rows)
        boards = ", ".join(sorted({row.board for row in rows}))
        source = f"{found.count} programs measured on {boards} (docs/accuracy.md)"
        return Timing("B", found.low - MARGIN, found.high + MARGIN, 1, source)
    accuracy = core.accuracy
    return Timing("C", accuracy.error_low, accuracy.error_high, 1, accuracy.source)


@lru_cache
def _measured_on(core: str) -> tuple[Measurement, ...]:
    """Return everything that was measured on boards with a core."""
    return tuple(
        row
        for name in measured_boards()
        if load_board(name).core == core
        for row in load_trace(name).measurements
        if not row.is_rebuilt
    )
