"""Source lines of instructions, from an ELF image's DWARF line programs (versions 2 to 5).

The image is not trusted: a unit that is damaged loses its lines and the others keep theirs;
what is read is bounded. Section numbers below are those of the DWARF 5 standard.

Not pyelftools: a line program of 4 MB takes it 40 s and 2.5 GB, and it unpacks without limit.
"""

from __future__ import annotations

import bisect
from array import array
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter

from tinysim.errors import SimulationError
from tinysim.simulator.images import printable
from tinysim.simulator.images.elf_file import open_elf

#: Line programs behind this many bytes are not read: decoding them takes a few seconds.
MAX_PROGRAM_BYTES = 8 * 2**20
#: Functions, nearly.
MAX_SEQUENCES = 2**18
_MAX_NAME_BYTES = 4096

#: Sections that hold file names. A name is known by ``index << 32 | offset``.
_NAME_SECTIONS = (b".debug_line", b".debug_line_str", b".debug_str")
_NO_NAME = len(_NAME_SECTIONS) << 32
_COMPRESSED = 0x800

#: What reading past an end raises, or storing a number that does not fit.
_DAMAGE = (IndexError, ValueError, OverflowError)

# Attributes' forms (7.5.6) and content types (7.22); opcodes (7.22).
_STRING, _BLOCK, _UDATA, _STRP, _LINE_STRP = 0x08, 0x09, 0x0F, 0x0E, 0x1F
_PATH, _FIXED_BYTES = 1, {0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16}
_COPY, _ADVANCE_PC, _ADVANCE_LINE, _SET_FILE, _CONST_ADD_PC, _FIXED_ADVANCE_PC = 1, 2, 3, 4, 8, 9
_END_SEQUENCE, _SET_ADDRESS, _DEFINE_FILE = 1, 2, 3


@dataclass(frozen=True, eq=False)
class LineTable:
    """Lines of an ELF image, decoded when first asked for."""

    blob: bytes

    def line_at(self, address: int) -> tuple[str, int] | None:
        """Return file (its name without folders) and line of an instruction, if known."""
        rows = self._rows
        position = bisect.bisect_right(rows.sequences, address, key=attrgetter("start")) - 1
        if position < 0 or address >= rows.sequences[position].end:
            return None
        found = rows.sequences[position]
        row = bisect.bisect_right(rows.addresses, address, found.first, found.last) - 1
        line, file = rows.lines[row], rows.files[row]
        if not line or file >= len(found.names) or found.names[file] == _NO_NAME:
            return None
        name = self._base_name(found.names[file])
        return (name, line) if name else None

    @cached_property
    def _sections(self) -> tuple[bytes, ...]:
        return _debug_sections(self.blob)

    @cached_property
    def _rows(self) -> _Rows:
        return _decode(self._sections[0][:MAX_PROGRAM_BYTES])

    def _base_name(self, name: int) -> str:
        section, offset = self._sections[name >> 32], name & 0xFFFFFFFF
        path = section[offset : offset + _MAX_NAME_BYTES].partition(b"\0")[0]
        return printable(path.replace(b"\\", b"/").rpartition(b"/")[2])


@dataclass(frozen=True, slots=True)
class _Sequence:
    """Rows ``first`` to ``last`` (not included), whose addresses ascend without a gap."""

    start: int
    end: int
    first: int
    last: int
    names: array[int]


@dataclass
class _Rows:
    """The line table as columns, and the sequences in it by address."""

    addresses: array[int] = field(default_factory=lambda: array("I"))
    lines: array[int] = field(default_factory=lambda: array("I"))
    files: array[int] = field(default_factory=lambda: array("I"))
    sequences: list[_Sequence] = field(default_factory=list)

    def end_sequence(self, first: int, end: int, names: array[int]) -> None:
        """Make a sequence of the rows from ``first`` on, or forget them if they are none."""
        last = len(self.addresses)
        if first == last or end <= self.addresses[first]:
            self.cut(first)
        elif len(self.sequences) == MAX_SEQUENCES:
            raise OverflowError
        else:
            self.sequences.append(_Sequence(self.addresses[first], end, first, last, names))

    def cut(self, length: int) -> None:
        """Forget the rows behind the first ``length``."""
        for column in (self.addresses, self.lines, self.files):
            del column[length:]


class _Cursor:
    """Reads the fields of one unit; past its end it raises ``IndexError``."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end

    def number(self, size_bytes: int) -> int:
        """Read an unsigned number of a fixed size."""
        self.skip(size_bytes)
        return int.from_bytes(self.data[self.at - size_bytes : self.at], "little")

    def skip(self, size_bytes: int) -> None:
        """Go past some bytes."""
        if size_bytes > self.end - self.at:
            raise IndexError
        self.at += size_bytes

    def leb(self, is_signed: bool = False) -> int:
        """Read a LEB128 number (7.6)."""
        value = shift = 0
        while shift <= 63:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value - (1 << shift) if is_signed and byte & 0x40 else value
        raise ValueError

    def string(self) -> int:
        """Go past a string and return where it began."""
        start = self.at
        self.at = self.data.index(0, start, self.end) + 1
        return start


@dataclass(frozen=True)
class _Header:
    """What a line program's header says of its opcodes and files (6.2.4).

    ``special`` are the steps of address and line of the opcodes from ``opcode_base`` on.
    """

    step_bytes: int
    opcode_base: int
    operand_counts: bytes
    special: list[tuple[int, int]]
    names: array[int]


def _debug_sections(blob: bytes) -> tuple[bytes, ...]:
    """Return the sections that lines and names lie in; empty if missing or compressed."""
    found = {}
    with suppress(SimulationError):
        elf = open_elf(blob, "ELF")
        titles = elf.strings(int.from_bytes(blob[50:52], "little"))  # e_shstrndx
        for section in elf.sections:
            title = titles[section.name_offset : section.name_offset + 32].partition(b"\0")[0]
            if title in _NAME_SECTIONS and not section.flags & _COMPRESSED:
                found[title] = elf.content(section)
    return tuple(found.get(title, b"") for title in _NAME_SECTIONS)


def _decode(program: bytes) -> _Rows:
    """Run the line programs of all units."""
    rows = _Rows()
    at = 0
    while at + 4 <= len(program):
        end = at + 4 + int.from_bytes(program[at : at + 4], "little")
        unit = _Cursor(program, at + 4, min(end, len(program)))
        try:
            _run(unit, _header(unit), rows)
        except _DAMAGE:
            rows.cut(rows.sequences[-1].last if rows.sequences else 0)
        at = end
    # Code that the linker dropped is left at 0, where (nearly) no code can be: only one that
    # stands there alone may be real. A sequence that begins later hides an earlier one.
    at_zero = sum(not sequence.start for sequence in rows.sequences)
    kept = [sequence for sequence in rows.sequences if sequence.start or at_zero == 1]
    rows.sequences = sorted(kept, key=attrgetter("start", "end"))
    return rows


def _header(unit: _Cursor) -> _Header:
    version = unit.number(2)
    if not 2 <= version <= 5 or (version == 5 and unit.number(2) != 4):
        raise ValueError  # Not DWARF that we know, or not for 32 bits without segments.
    length = unit.number(4)
    start = unit.at + length
    step_bytes = unit.number(1)
    unit.skip(1 if version < 4 else 2)  # [operations per instruction,] is_stmt
    line_base, line_range, opcode_base = unit.number(1), unit.number(1), unit.number(1)
    line_base -= (line_base & 0x80) << 1
    if not line_range or not opcode_base:
        raise ValueError
    at = unit.at
    unit.skip(opcode_base - 1)
    operand_counts = b"\0" + unit.data[at : unit.at]
    if version == 5:
        _entries(unit)
        names = _entries(unit)
    else:
        while unit.string() + 1 < unit.at:  # Folders, up to an empty name.
            pass
        names = array("Q", (_NO_NAME,))
        while (name := unit.string()) + 1 < unit.at:
            names.append(name)
            _ = unit.leb(), unit.leb(), unit.leb()
    unit.skip(start - unit.at)
    codes = range(256 - opcode_base)
    special = [(code // line_range * step_bytes, line_base + code % line_range) for code in codes]
    return _Header(step_bytes, opcode_base, operand_counts, special, names)


def _entries(unit: _Cursor) -> array[int]:
    """Read a table of folders or files and return its names (6.2.4.1)."""
    columns = [(unit.leb(), unit.leb()) for _ in range(unit.number(1))]
    count = unit.leb()
    if count and (not columns or count > unit.end - unit.at):  # Each takes a byte at least.
        raise ValueError
    names = array("Q")
    for _ in range(count):
        name = _NO_NAME
        for content, form in columns:
            found = _attribute(unit, form)
            name = found if content == _PATH else name
        names.append(name)
    return names


def _attribute(unit: _Cursor, form: int) -> int:
    """Go past an attribute and return the name that it is, if it is one."""
    if form == _STRING:
        return unit.string()
    if form in (_LINE_STRP, _STRP):
        return (1 if form == _LINE_STRP else 2) << 32 | unit.number(4)
    if form == _UDATA:
        unit.leb()
    elif form == _BLOCK or form in _FIXED_BYTES:
        unit.skip(_FIXED_BYTES.get(form) or unit.leb())
    else:
        raise ValueError
    return _NO_NAME


def _run(unit: _Cursor, header: _Header, rows: _Rows) -> None:
    """Run a line program, and add its rows (6.2.5)."""
    data, end = unit.data, unit.end
    base, step, special = header.opcode_base, header.step_bytes, header.special
    add_address, add_line, add_file = (c.append for c in (rows.addresses, rows.lines, rows.files))
    first, address, line, file, is_sound = len(rows.addresses), 0, 1, 1, True
    while unit.at < end:
        code = data[unit.at]
        unit.at += 1
        if code >= base:
            by, lines = special[code - base]
            address += by
            line += lines
        if code >= base or code == _COPY:
            add_address(address)
            add_line(line)
            add_file(file)
        elif code == 0:
            size_bytes, kind = unit.leb(), unit.number(1)
            after = unit.at + size_bytes - 1
            if not size_bytes or after > end:
                raise ValueError
            if kind == _END_SEQUENCE:
                rows.end_sequence(first, address if is_sound else 0, header.names)
                first, address, line, file, is_sound = len(rows.addresses), 0, 1, 1, True
            elif kind == _SET_ADDRESS:
                before, address = address, unit.number(4)
                is_sound = is_sound and (address >= before or first == len(rows.addresses))
            elif kind == _DEFINE_FILE:
                header.names.append(unit.string())
            unit.at = after
        elif code == _ADVANCE_PC:
            address += unit.leb() * step
        elif code == _ADVANCE_LINE:
            line += unit.leb(is_signed=True)
        elif code == _SET_FILE:
            file = unit.leb()
        elif code == _CONST_ADD_PC:
            address += special[255 - base][0]
        elif code == _FIXED_ADVANCE_PC:
            address += unit.number(2)
        else:
            for _ in range(header.operand_counts[code]):
                unit.leb()
    rows.cut(first)
