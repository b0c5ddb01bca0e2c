"""Firmware images: segments to load and symbols to name addresses by."""

from __future__ import annotations

import bisect
from dataclasses import dataclass

from tinysim.errors import SimulationError


@dataclass(frozen=True)
class Symbol:
    """A named range of addresses; functions without their Thumb bit."""

    name: str
    address: int
    size_bytes: int
    is_function: bool


@dataclass(frozen=True)
class Segment:
    """Bytes to be put at ``address`` before start (a load address, so ``.data`` lies in flash)."""

    address: int
    data: bytes


@dataclass(frozen=True)
class Image:
    """What the machine needs of an ELF file.

    ``ends`` are the addresses behind everything that it takes of memory, loaded or not; the
    vector table stands where its code begins.
    """

    segments: tuple[Segment, ...]
    ends: tuple[int, ...]
    vectors_address: int
    symbols: dict[str, Symbol]
    functions: tuple[Symbol, ...]

    def symbol(self, name: str) -> Symbol:
        """Return the symbol called ``name``."""
        found = self.symbols.get(name)
        if found is None:
            raise SimulationError(
                f"the image has no symbol {name}",
                where="ELF",
                fix="do not strip the image, and keep the generated sources",
            )
        return found

    def function_at(self, address: int) -> str:
        """Name the function that holds an address, with the distance from its start."""
        starts = [function.address for function in self.functions]
        position = bisect.bisect_right(starts, address) - 1
        if position < 0:
            return "?"
        function = self.functions[position]
        distance = address - function.address
        if distance >= max(function.size_bytes, 2):
            return "?"
        return f"{function.name}+{distance:#x}" if distance else function.name
