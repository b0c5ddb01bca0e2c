"""The ELF container: headers, sections and segments of a 32-bit Arm program.

Not pyelftools, which follows sizes that the file claims and raises whatever comes: an image that is
run may come from anywhere. Here tables are checked against the file's size before they are read, so
only ``SimulationError`` leaves.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tinysim.errors import SimulationError
from tinysim.simulator.images import ADDRESS_END

SYMBOL_TABLE, STRING_TABLE, NO_BITS = 2, 3, 8
_LOAD = 1
_ALLOCATED = 0x2
_EXECUTABLE, _ARM = 2, 40

_HEADER = struct.Struct("<4s3B9x2H5I6H")
_SEGMENT = struct.Struct("<8I")
_SECTION = struct.Struct("<10I")

_KINDS = {1: "an object file", 3: "a shared library", 4: "a core dump"}
_DAMAGED = "link the image again, or get the whole file"


@dataclass(frozen=True)
class Section:
    """A section header."""

    name_offset: int
    kind: int
    flags: int
    address: int
    offset: int
    size_bytes: int
    link: int
    entry_bytes: int

    @property
    def is_allocated(self) -> bool:
        """Whether it takes memory on the board."""
        return bool(self.flags & _ALLOCATED) and self.size_bytes > 0

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + self.size_bytes


@dataclass(frozen=True)
class Load:
    """A header of a segment to be loaded."""

    offset: int
    virtual_address: int
    load_address: int
    file_bytes: int
    memory_bytes: int


@dataclass(frozen=True)
class ElfFile:
    """A linked program for Arm; whatever its tables point at may still be damaged."""

    blob: bytes
    where: str
    sections: tuple[Section, ...]
    loads: tuple[Load, ...]

    def content(self, section: Section) -> bytes:
        """Return the bytes of a section, as they lie in the file."""
        if section.kind == NO_BITS:
            return b""
        if section.offset + section.size_bytes > len(self.blob):
            raise damaged(self.where, "a section ends beyond the file")
        return self.blob[section.offset : section.offset + section.size_bytes]

    def strings(self, index: int) -> bytes:
        """Return the string table in a section."""
        if index >= len(self.sections) or self.sections[index].kind != STRING_TABLE:
            raise damaged(self.where, f"section {index:,} should be a table of names")
        return self.content(self.sections[index])


def open_elf(blob: bytes, where: str) -> ElfFile:
    """Read the headers of an ELF file.

    Raises
    ------
    SimulationError
        If it is not a linked 32-bit little-endian Arm program, or its tables are damaged.
    """
    if len(blob) < _HEADER.size or not blob.startswith(b"\x7fELF"):
        raise SimulationError("is no ELF image", where=where, fix="give an ELF file")
    header = _HEADER.unpack_from(blob)
    _, elf_class, order, _, kind, machine, _, _, segments_at, sections_at, _, _, *counts = header
    segment_bytes, segment_count, section_bytes, section_count, _ = counts
    if (elf_class, order, machine) != (1, 1, _ARM):
        bits = {1: 32, 2: 64}.get(elf_class, "?")
        end = {1: "little", 2: "big"}.get(order, "?")
        raise SimulationError(
            f"is made for machine {machine} ({bits} bits, {end} endian), not for 32-bit Arm",
            where=where,
            fix="build for Cortex-M, little endian",
        )
    if kind != _EXECUTABLE:
        raise SimulationError(
            f"is {_KINDS.get(kind, f'of the unknown type {kind}')}, not a linked program",
            where=where,
            fix="link it, and give the program",
        )
    segments = _table(blob, where, _SEGMENT, segments_at, segment_count, segment_bytes, "segments")
    sections: tuple[tuple[int, ...], ...] = ()
    if sections_at and section_count:
        sections = _table(
            blob, where, _SECTION, sections_at, section_count, section_bytes, "sections"
        )
    return ElfFile(
        blob,
        where,
        tuple(_section(row) for row in sections),
        tuple(_load(row, len(blob), where) for row in segments if row[0] == _LOAD),
    )


def _section(row: tuple[int, ...]) -> Section:
    name, kind, flags, address, offset, size_bytes, link = row[:7]
    return Section(name, kind, flags, address, offset, size_bytes, link, row[9])


def damaged(where: str, what: str) -> SimulationError:
    """Return the error for a file that contradicts itself."""
    return SimulationError(what, where=where, fix=_DAMAGED)


def _table(
    blob: bytes, where: str, row: struct.Struct, offset: int, count: int, row_bytes: int, name: str
) -> tuple[tuple[int, ...], ...]:
    """Return the rows of a header table."""
    if count and row_bytes != row.size:
        raise damaged(where, f"the table of {name} has rows of {row_bytes} bytes, not {row.size}")
    if offset + count * row.size > len(blob):
        raise damaged(where, f"the table of {name} ends beyond the file")
    return tuple(row.iter_unpack(blob[offset : offset + count * row.size]))


def _load(row: tuple[int, ...], file_bytes: int, where: str) -> Load:
    _, offset, virtual, physical, size, memory, _, _ = row
    load = Load(offset, virtual, physical, size, memory)
    if offset + size > file_bytes:
        raise damaged(where, f"the segment at {physical:#010x} ends beyond the file")
    if size > memory:
        raise damaged(where, f"the segment at {physical:#010x} has more bytes than it takes")
    if virtual + memory > ADDRESS_END or physical + size > ADDRESS_END:
        raise damaged(where, f"the segment at {physical:#010x} leaves 32 bits")
    return load
