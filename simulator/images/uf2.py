"""UF2: blocks of 512 bytes, each with its target address, as boot loaders with a USB disk take.

Source: https://github.com/microsoft/uf2 (README, "File format"). A block is eight words (two
magic numbers, flags, target address, payload size, block number, number of blocks, family or
file size), 476 bytes for the payload, and a third magic number.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tinysim.errors import SimulationError
from tinysim.simulator.images import Image, Segment, loaded_image

_BLOCK_BYTES = 512
_MAX_PAYLOAD_BYTES = 476
_BLOCK = struct.Struct(f"<8I{_MAX_PAYLOAD_BYTES}sI")
_MAGIC = (0x0A324655, 0x9E5D5157, 0x0AB16F30)

_NOT_MAIN_FLASH, _FILE_CONTAINER, _HAS_FAMILY = 0x1, 0x1000, 0x2000
#: Family of blocks that every RP2350 takes; a lone one of 0xEF bytes only works round erratum
#: RP2350-E10 and holds no program (picotool writes it in front, numbered 0 of 2).
_ABSOLUTE_FAMILY = 0xE48BFF57
_ERRATUM_PAYLOAD = b"\xef" * 256


@dataclass(frozen=True)
class _Block:
    position: int
    flags: int
    address: int
    number: int
    total: int
    family: int | None
    payload: bytes


def read(blob: bytes, flash_base: int, where: str = "UF2") -> Image:
    """Read a UF2 image.

    Raises
    ------
    SimulationError
        If blocks are damaged, missing, twice there, or for several chip families.
    """
    if len(blob) % _BLOCK_BYTES:
        raise SimulationError(
            f"{len(blob):,} bytes are not whole blocks of {_BLOCK_BYTES}: it is cut short",
            where=where,
            fix="get the whole file",
        )
    blocks = [block for block in _blocks(blob, where) if not _works_round_erratum(block)]
    _check_numbers(blocks, where)
    program = [block for block in blocks if not block.flags & (_NOT_MAIN_FLASH | _FILE_CONTAINER)]
    families = {block.family for block in program}
    if len(families) > 1:
        names = ", ".join(sorted("none" if f is None else f"{f:#010x}" for f in families))
        raise SimulationError(
            f"holds programs for several chip families ({names})",
            where=where,
            fix="give an image for one chip",
        )
    pieces = (Segment(block.address, block.payload) for block in program)
    return loaded_image(pieces, flash_base, where)


def _blocks(blob: bytes, where: str) -> Iterator[_Block]:
    for position, words in enumerate(_BLOCK.iter_unpack(blob)):
        first, second, flags, address, size, number, total, family, data, last = words
        if (first, second, last) != _MAGIC:
            raise _damage(where, position, "has not the magic numbers of UF2")
        if not 0 < size <= _MAX_PAYLOAD_BYTES:
            raise _damage(where, position, f"has a payload of {size:,} bytes, not 1 to 476")
        chip = family if flags & _HAS_FAMILY else None
        yield _Block(position, flags, address, number, total, chip, data[:size])


def _check_numbers(blocks: list[_Block], where: str) -> None:
    """See that every block is there once, whatever their order."""
    seen = set()
    for block in blocks:
        if block.total != len(blocks):
            what = f"says that there are {block.total:,} blocks, but there are {len(blocks):,}"
            raise _damage(where, block.position, what)
        if block.number >= block.total or block.number in seen:
            what = "twice there" if block.number in seen else f"beyond the {block.total:,} blocks"
            raise _damage(
                where, block.position, f"has the number {block.number:,}, which is {what}"
            )
        seen.add(block.number)


def _works_round_erratum(block: _Block) -> bool:
    return (
        block.family == _ABSOLUTE_FAMILY
        and (block.number, block.total) == (0, 2)
        and block.payload == _ERRATUM_PAYLOAD
    )


def _damage(where: str, position: int, what: str) -> SimulationError:
    return SimulationError(what, where=f"{where} block {position}", fix="make or copy it again")
