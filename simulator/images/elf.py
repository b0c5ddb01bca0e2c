"""ELF: segments by load address, and symbols."""

from __future__ import annotations

import io

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from tinysim.errors import SimulationError
from tinysim.simulator.images import Image, Segment, Symbol


def read_elf(blob: bytes) -> Image:
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
    return Image(segments, ends, min(starts), symbols, tuple(functions))
