"""The board's memory in the engine: mapped, painted, loaded."""

from __future__ import annotations

from typing import Any

import unicorn

from tinysim.boards import Board, MemoryRegion
from tinysim.errors import SimulationError
from tinysim.simulator.images import Image

#: RAM is filled with this before start: what still holds it has never been written.
PAINT = 0xC5

#: Flash that holds nothing reads so; executed, it is an undefined instruction.
ERASED = 0xFF

#: Where a called function returns to: a page of its own in the code area that no chip here uses.
RETURN_ADDRESS = 0x1EEE_E000

#: An address that nothing reaches: run until something else ends the run.
NOWHERE = 0x1EEE_F000

#: How far an image that is too large may reach beyond a region.
WIDENED_MAX_BYTES = 128 * 2**20

_PAGE = 4096
_CODE = unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC

#: Linker symbol that lies at the top of what the image uses, in RAM.
_STACK_TOP = "__stack_top"


def region_at(board: Board, address: int) -> MemoryRegion:
    """Return the region that holds an address, however far it was widened."""
    below = [region for region in board.regions if region.base <= address]
    if not below:
        raise SimulationError(
            f"uses {address:#010x}, below all memory of {board.name}",
            where="image",
            fix="link for this board's memory map",
        )
    return max(below, key=lambda region: region.base)


def _check_room(board: Board, region: MemoryRegion, end: int) -> None:
    """Refuse what is no overflow of a region but memory that the board does not have."""
    above = [other.base for other in board.regions if other.base > region.base]
    if end > min([*above, region.end + WIDENED_MAX_BYTES]):
        raise SimulationError(
            f"uses memory up to {end:#010x}, which {board.name} does not have",
            where="image",
            fix="link for this board's memory map, or choose the board that it was made for",
        )


def map_memory(engine: Any, board: Board, image: Image) -> None:
    """Map every region, as large as the board's or as the image needs; paint RAM; load."""
    tops = {region.name: region.end for region in board.regions}
    used = list(image.ends)
    if _STACK_TOP in image.symbols:
        used.append(image.symbols[_STACK_TOP].address)
    for end in used:
        region = region_at(board, end - 1)
        tops[region.name] = max(tops[region.name], end)
        _check_room(board, region, end)
    # Flash goes first: behind RAM, Unicorn 2.1 translates the same blocks again and again.
    for region in sorted(board.regions, key=lambda region: region.kind != "flash"):
        base = region.base // _PAGE * _PAGE
        size = -(-(tops[region.name] - base) // _PAGE) * _PAGE
        is_ram = region.kind == "ram"
        engine.mem_map(base, size, _CODE | unicorn.UC_PROT_WRITE if is_ram else _CODE)
        engine.mem_write(base, bytes([PAINT if is_ram else ERASED]) * size)
    engine.mem_map(RETURN_ADDRESS, _PAGE, _CODE)
    for segment in image.segments:
        engine.mem_write(segment.address, segment.data)
