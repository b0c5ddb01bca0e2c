"""Source lines of instructions, from an ELF image's DWARF line programs.

The image is not trusted: what cannot be read has no lines, and what is read is bounded.
"""

from __future__ import annotations

import bisect
import io
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from elftools.common.exceptions import DWARFError, ELFError
from elftools.construct import ConstructError
from elftools.elf.elffile import ELFFile

#: Images with longer line programs have no lines: decoding this much takes seconds.
MAX_PROGRAM_BYTES = 4 * 2**20

#: What the decoder raises on damaged images.
_DAMAGE = (
    ELFError,
    DWARFError,
    ConstructError,
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    UnicodeError,
    ValueError,
)


@dataclass(frozen=True, eq=False)
class LineTable:
    """Lines of an ELF image, decoded when first asked for."""

    blob: bytes

    def line_at(self, address: int) -> tuple[str, int] | None:
        """Return file (its name without folders) and line of an instruction, if known."""
        starts, rows = self._rows
        position = bisect.bisect_right(starts, address) - 1
        return rows[position] if position >= 0 else None

    @cached_property
    def _rows(self) -> tuple[list[int], list[tuple[str, int] | None]]:
        """Ascending addresses, and the line from each on; None ends a sequence."""
        try:
            found = dict(sorted(_decode(self.blob), key=lambda row: row[0]))
        except _DAMAGE:
            found = {}
        return list(found), list(found.values())


def _decode(blob: bytes) -> list[tuple[int, tuple[str, int] | None]]:
    """Return the rows of every unit's line program."""
    elf = ELFFile(io.BytesIO(blob))
    section = elf.get_section_by_name(".debug_line")
    if section is None or section.compressed or section["sh_size"] > MAX_PROGRAM_BYTES:
        return []
    dwarf = elf.get_dwarf_info()
    rows: list[tuple[int, tuple[str, int] | None]] = []
    for unit in dwarf.iter_CUs():
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        names = [_name(entry) for entry in program["file_entry"]]
        first = 0 if program["version"] >= 5 else 1
        for entry in program.get_entries():
            if (state := entry.state) is None:
                continue
            index = state.file - first
            known = not state.end_sequence and 0 <= index < len(names)
            rows.append((state.address, (names[index], state.line) if known else None))
    return rows


def _name(entry: Any) -> str:
    """Return a file's name fit to be shown."""
    text = bytes(entry.name).decode("utf-8", "replace").rsplit("/", 1)[-1]
    return "".join(char if char.isprintable() else "?" for char in text)[:120]
