"""How far cycle counts can be trusted: the core's error band, widened by the board's memory."""

from __future__ import annotations

from tinysim.boards import Board
from tinysim.simulator.cores import Core
from tinysim.simulator.profile import Timing


def timing_of(board: Board, core: Core) -> Timing:
    """Join the core's error band with what the board's memory system adds to it."""
    accuracy, memory = core.accuracy, board.memory_accuracy
    if memory.grade == "A":
        return Timing(memory.grade, memory.error_low, memory.error_high, 1, memory.source)
    return Timing(
        grade=accuracy.grade,
        error_low=(1 + accuracy.error_low) * (1 + memory.error_low) - 1,
        error_high=(1 + accuracy.error_high) * (1 + memory.error_high) - 1,
        fidelity=1,
        source=f"core: {accuracy.source}; memory: {memory.source}",
    )
