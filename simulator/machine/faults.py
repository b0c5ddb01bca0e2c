"""Faults: what the firmware did that the hardware would not take, in words."""

from __future__ import annotations

import unicorn

from tinysim.boards import Board
from tinysim.errors import FaultError
from tinysim.simulator.images import Image

#: What an access that failed was trying to do.
ACCESS = {
    unicorn.UC_MEM_READ_UNMAPPED: "reads",
    unicorn.UC_MEM_WRITE_UNMAPPED: "writes",
    unicorn.UC_MEM_FETCH_UNMAPPED: "executes",
    unicorn.UC_MEM_READ_PROT: "reads",
    unicorn.UC_MEM_WRITE_PROT: "writes",
    unicorn.UC_MEM_FETCH_PROT: "executes",
}


def fault(
    what: str, image: Image, pc: int, fix: str = "check pointers, stack size and the memory map"
) -> FaultError:
    """Return an error that names the instruction and its function."""
    return FaultError(what, where=place(image, pc), fix=fix, pc=pc, symbol=image.function_at(pc))


def bad_access(board: Board, verb: str, address: int) -> str:
    """Say what was accessed, and what is there."""
    for region in board.regions:
        if region.base <= address < region.end and region.kind == "flash" and verb == "writes":
            return f"writes flash at {address:#010x}, which only reads"
        if region.base <= address < region.end:
            return f"{verb} {address:#010x}, where {region.name} cannot be accessed so"
    return f"{verb} {address:#010x}, where {board.name} has no memory"


def place(image: Image, pc: int) -> str:
    """Name where an instruction is."""
    return f"pc {pc:#010x} in {image.function_at(pc)}"
