"""ELF: segments by load address, symbols, and source lines."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tinysim.errors import SimulationError
from tinysim.simulator.images import (
    ADDRESS_END,
    Image,
    Segment,
    Symbol,
    find_vectors,
    join,
    printable,
)
from tinysim.simulator.images.elf_file import (
    NO_BITS,
    SYMBOL_TABLE,
    ElfFile,
    Load,
    Section,
    damaged,
    open_elf,
)
from tinysim.simulator.lines import LineTable

#: What an image may take of memory. More than it may load: a model that does not fit is linked
#: into regions that are 64 MiB larger than the board's.
MAX_MEMORY_BYTES = 256 * 2**20
#: Entries of the symbol table (three in four are marks between code and data), and their names.
MAX_SYMBOLS = 2**18
MAX_NAME_BYTES = 32 * 2**20

_SYMBOL = struct.Struct("<3I2BH")
_UNDEFINED = 0
_NO_TYPE, _OBJECT, _FUNCTION = 0, 1, 2
_NAMED_TYPES = (_NO_TYPE, _OBJECT, _FUNCTION)
#: Which of several names counts: global before weak before local.
_RANK = {1: 0, 2: 1}


@dataclass(frozen=True)
class _Entry:
    """A symbol, and what decides between it and others of its name or address."""

    symbol: Symbol
    rank: int
    section: int
    is_variable: bool


def read(blob: bytes, flash_base: int, where: str) -> Image:
    """Read an ELF image, whose vectors stand at ``flash_base`` if anything does.

    Raises
    ------
    SimulationError
        If it is not a sound 32-bit little-endian Arm program.
    """
    return _image(blob, (flash_base,), where)


def read_elf(blob: bytes, where: str = "ELF") -> Image:
    """Read an ELF image, whose vectors stand where its code begins.

    Raises
    ------
    SimulationError
        If it is not a sound 32-bit little-endian Arm program.
    """
    return _image(blob, (), where)


def _image(blob: bytes, starts: tuple[int, ...], where: str) -> Image:
    elf = open_elf(blob, where)
    loads = [load for load in elf.loads if load.file_bytes]
    if not any(load.load_address for load in loads):  # Some linkers leave them all empty.
        loads = [replace(load, load_address=load.virtual_address) for load in loads]
    pieces = [_piece(elf, load) for load in loads]
    segments = join((piece for piece, _ in pieces), where)
    starts += tuple(sorted(start for _, inner in pieces for start in inner))
    entries = list(_entries(elf))
    return Image(
        segments,
        _ends(elf, segments),
        find_vectors(segments, starts, where),
        _by_name(entries),
        _functions(entries, elf),
        _variables(entries),
        LineTable(blob),
    )


def _piece(elf: ElfFile, load: Load) -> tuple[Segment, list[int]]:
    """Return what a segment loads, and where the sections in it begin.

    Linkers may put the file's own headers in front of the first section: they are left off.
    """
    end = load.offset + load.file_bytes
    inside = sorted(
        section.offset
        for section in elf.sections
        if section.is_allocated and section.kind != NO_BITS and load.offset <= section.offset < end
    )
    first = inside[0] if inside else load.offset
    shift = load.load_address - load.offset
    piece = Segment(first + shift, elf.blob[first:end])
    return piece, [offset + shift for offset in inside] or [piece.address]


def _ends(elf: ElfFile, segments: tuple[Segment, ...]) -> tuple[int, ...]:
    """Return the addresses behind everything that takes memory."""
    taken: list[Section] = [section for section in elf.sections if section.is_allocated]
    total = sum(section.size_bytes for section in taken)
    total = max(total, sum(load.memory_bytes for load in elf.loads))
    ends = {section.end for section in taken} if taken else set()
    ends |= {load.virtual_address + load.memory_bytes for load in elf.loads if not taken}
    ends |= {segment.end for segment in segments}
    if total > MAX_MEMORY_BYTES or max(ends) > ADDRESS_END:
        what = "leave 32 bits" if max(ends) > ADDRESS_END else f"take {total:,} bytes"
        raise SimulationError(
            f"its sections {what}", where=elf.where, fix="link the image for the board's memory"
        )
    return tuple(sorted(ends))


def _entries(elf: ElfFile) -> Iterator[_Entry]:
    """Yield the named places in the image."""
    table = next((section for section in elf.sections if section.kind == SYMBOL_TABLE), None)
    if table is None:
        return
    raw, names = elf.content(table), elf.strings(table.link)
    if len(raw) % _SYMBOL.size or table.entry_bytes != _SYMBOL.size:
        raise damaged(elf.where, "the symbol table is no whole number of symbols")
    if len(raw) > MAX_SYMBOLS * _SYMBOL.size:
        raise damaged(elf.where, f"has {len(raw) // _SYMBOL.size:,} symbols")
    named_bytes = 0
    for name_offset, value, size_bytes, info, _, section in _SYMBOL.iter_unpack(raw):
        if info & 15 not in _NAMED_TYPES or section == _UNDEFINED or not name_offset:
            continue
        if name_offset >= len(names) or (stop := names.find(b"\0", name_offset)) < 0:
            raise damaged(elf.where, "a symbol's name ends beyond the table of names")
        named_bytes += stop - name_offset
        if named_bytes > MAX_NAME_BYTES:
            raise damaged(elf.where, f"symbols' names take over {MAX_NAME_BYTES // 2**20} MiB")
        name = printable(names[name_offset:stop])
        if not name or name.startswith("$"):  # Marks between Thumb code and data.
            continue
        is_function = info & 15 == _FUNCTION
        address = value & ~1 if is_function else value
        if size_bytes and (size_bytes > MAX_MEMORY_BYTES or address + size_bytes > ADDRESS_END):
            raise damaged(
                elf.where, f"the symbol {name[:80]} takes {size_bytes:,} bytes at {address:#010x}"
            )
        symbol = Symbol(name, address, size_bytes, is_function)
        yield _Entry(symbol, _RANK.get(info >> 4, 2), section, info & 15 == _OBJECT)


def _by_name(entries: list[_Entry]) -> dict[str, Symbol]:
    """Return symbols by name: of several that are local to their files, the first."""
    found: dict[str, _Entry] = {}
    for entry in entries:
        other = found.get(entry.symbol.name)
        if other is None or entry.rank < other.rank:
            found[entry.symbol.name] = entry
    return {name: entry.symbol for name, entry in found.items()}


def _functions(entries: list[_Entry], elf: ElfFile) -> tuple[Symbol, ...]:
    """Return one function an address; one without a size reaches to the next.

    Of several names the global one counts, then the longest code, then the alphabet.
    """
    ranked = sorted(
        (entry for entry in entries if entry.symbol.is_function),
        key=lambda e: (e.symbol.address, e.rank, -e.symbol.size_bytes, e.symbol.name),
    )
    found: list[_Entry] = []
    for entry in ranked:
        if not found or entry.symbol.address != found[-1].symbol.address:
            found.append(entry)
    functions = []
    for position, entry in enumerate(found):
        symbol = entry.symbol
        if not symbol.size_bytes and entry.section < len(elf.sections):
            end = elf.sections[entry.section].end
            if position + 1 < len(found):
                end = min(end, found[position + 1].symbol.address)
            symbol = replace(symbol, size_bytes=max(0, end - symbol.address))
        functions.append(symbol)
    return tuple(functions)


def _variables(entries: list[_Entry]) -> tuple[Symbol, ...]:
    """Return one variable an address: of several names the one that takes most, then the global."""
    ranked = sorted(
        (entry for entry in entries if entry.is_variable and entry.symbol.size_bytes),
        key=lambda e: (e.symbol.address, -e.symbol.size_bytes, e.rank, e.symbol.name),
    )
    found: dict[int, Symbol] = {}
    for entry in ranked:
        found.setdefault(entry.symbol.address, entry.symbol)
    return tuple(found.values())
