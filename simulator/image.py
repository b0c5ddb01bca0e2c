"""The ELF image: segments to load and symbols to name addresses by."""

from __future__ import annotations

import bisect
import io
from dataclasses import dataclass

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

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
class ElfImage:
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


def read_elf(blob: bytes) -> ElfImage:
    """Read an ELF image.

    Raises
    ------
    SimulationError
        If it is not a 32-bit little-endian Arm image.
    """
    try:
        elf = ELFFile(io.BytesIO(blob))
        if elf["e_machine"] != "EM_ARM" or elf.elfclass != 32 or not elf.little_endian:
            raise SimulationError(
                f"made for {elf['e_machine']}", where="ELF", fix="build for Cortex-M"
            )
        segments = tuple(
            Segment(part["p_paddr"], part.data())
            for part in elf.iter_segments("PT_LOAD")
            if part["p_filesz"]
        )
        ends = tuple(
            section["sh_addr"] + section["sh_size"]
            for section in elf.iter_sections()
            if section["sh_size"] and section["sh_flags"] & SH_FLAGS.SHF_ALLOC
        )
        # Not the first segment: linkers may put the file's own header in front of it.
        starts = [
            section["sh_addr"]
            for section in elf.iter_sections()
            if section["sh_type"] == "SHT_PROGBITS" and section["sh_flags"] & SH_FLAGS.SHF_ALLOC
        ]
        symbols = {
            entry.name: Symbol(
                entry.name,
                entry["st_value"] & ~(entry["st_info"]["type"] == "STT_FUNC"),
                entry["st_size"],
                entry["st_info"]["type"] == "STT_FUNC",
            )
            for section in elf.iter_sections()
            if isinstance(section, SymbolTableSection)
            for entry in section.iter_symbols()
            if entry.name and not entry.name.startswith("$")
        }
    except (ELFError, ValueError, KeyError, IndexError, OverflowError, AttributeError) as error:
        raise SimulationError(
            f"not a readable ELF image ({error})", where="ELF", fix="link the image again"
        ) from error
    if not segments or not starts:
        raise SimulationError("holds nothing to load", where="ELF", fix="link the image again")
    functions = sorted((s for s in symbols.values() if s.is_function), key=lambda s: s.address)
    return ElfImage(segments, ends, min(starts), symbols, tuple(functions))
