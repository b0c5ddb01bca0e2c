"""How far cycle counts can be trusted: the core's error band, widened by the board's memory."""

from __future__ import annotations

from tinysim.boards import Board
from tinysim.simulator.cores import Core
from tinysim.simulator.profile import Timing

#: How far too low time can be where memory makes the core wait and nobody counts that.
UNCOUNTED_WAITS_LOW = -0.28
_UNCOUNTED_SOURCE = "worst of 20 measured images at fidelity 1, AD on the NUCLEO-G0B1RE"


def timing_of(board: Board, core: Core, fidelity: int) -> Timing:
    """Join the core's error band with what the board's memory system adds to it."""
    accuracy, memory = core.accuracy, board.memory_accuracy
    if fidelity < 3 and (board.caches or board.banks):
        source = f"core: {accuracy.source}; memory waits not counted: {_UNCOUNTED_SOURCE}"
        low = min(accuracy.error_low, UNCOUNTED_WAITS_LOW)
        return Timing(accuracy.grade, low, accuracy.error_high, fidelity, source)
    if memory.grade == "A":
        return Timing(memory.grade, memory.error_low, memory.error_high, fidelity, memory.source)
    return Timing(
        grade=accuracy.grade,
        error_low=(1 + accuracy.error_low) * (1 + memory.error_low) - 1,
        error_high=(1 + accuracy.error_high) * (1 + memory.error_high) - 1,
        fidelity=fidelity,
        source=f"core: {accuracy.source}; memory: {memory.source}",
    )
