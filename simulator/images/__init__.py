"""Firmware image -> segments to load and symbols to name addresses by: one module a format.

Images come from anywhere and are not trusted: a reader ends with an ``Image`` or with a
``SimulationError``, in memory and time that the limits below bound.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from tinysim.errors import SimulationError

if TYPE_CHECKING:
    from tinysim.simulator.lines import LineTable

#: Module that reads a suffix.
READERS = {
    ".elf": "elf",
    ".axf": "elf",
    ".out": "elf",
    ".bin": "raw",
    ".hex": "intel_hex",
    ".ihex": "intel_hex",
    ".uf2": "uf2",
}

MAX_FILE_BYTES = 128 * 2**20
#: What an image may load: more than any microcontroller's flash.
MAX_LOAD_BYTES = 64 * 2**20
#: The end of the address space.
ADDRESS_END = 2**32

_ELF_MAGIC = b"\x7fELF"
_BOOT2_BYTES = 0x100  # RP2040: its second-stage boot loader stands before the vectors.


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

    @property
    def end(self) -> int:
        """The address behind the last byte."""
        return self.address + len(self.data)


@dataclass(frozen=True)
class Image:
    """What the machine needs of a firmware file.

    ``segments`` ascend and do not touch each other. ``ends`` are the addresses behind everything
    that it takes of memory, loaded or not. ``symbols``, ``functions`` and ``variables`` are empty,
    and ``lines`` is None, where the format has none; functions ascend, one an address, and so do
    variables.
    """

    segments: tuple[Segment, ...]
    ends: tuple[int, ...]
    vectors_address: int
    symbols: dict[str, Symbol]
    functions: tuple[Symbol, ...]
    variables: tuple[Symbol, ...] = ()
    lines: LineTable | None = field(default=None, compare=False, repr=False)

    def symbol(self, name: str) -> Symbol:
        """Return the symbol called ``name``."""
        found = self.symbols.get(name)
        if found is None:
            raise SimulationError(
                f"the image has no symbol {name}",
                where="image",
                fix="give an ELF image that is not stripped, and keep the generated sources",
            )
        return found

    def function_at(self, address: int) -> str:
        """Name the function that holds an address, with the distance from its start.

        Returns
        -------
        str
            ``?`` outside every function; the address in hex if the image names no functions.
        """
        if not self.functions:
            return f"{address:#010x}"
        position = bisect.bisect_right(self._function_starts, address) - 1
        if position < 0:
            return "?"
        function = self.functions[position]
        distance = address - function.address
        if distance >= max(function.size_bytes, 2):
            return "?"
        return f"{function.name}+{distance:#x}" if distance else function.name

    def variable_at(self, address: int) -> Symbol | None:
        """Return the variable that holds an address, if the image names it."""
        position = bisect.bisect_right(self._variable_starts, address) - 1
        if position < 0:
            return None
        found = self.variables[position]
        return found if address < found.address + found.size_bytes else None

    def stack_floor(self, top: int) -> tuple[int, str] | None:
        """Return how far down a stack that begins at ``top`` may reach, and what lies there.

        None if the image names no variable below. A stack that is a variable itself ends with it.
        """
        position = bisect.bisect_left(self._variable_starts, top) - 1
        if position < 0:
            return None
        below = self.variables[position]
        end = below.address + below.size_bytes
        return (end, below.name) if end < top else (below.address, f"what is below {below.name}")

    def line_at(self, address: int) -> tuple[str, int] | None:
        """Return file and line of an instruction, if the image says."""
        return self.lines.line_at(address) if self.lines is not None else None

    @cached_property
    def _variable_starts(self) -> list[int]:
        return [variable.address for variable in self.variables]

    @cached_property
    def _function_starts(self) -> list[int]:
        return [function.address for function in self.functions]


def read_image(path: Path, flash_base: int) -> Image:
    """Read a firmware image; the suffix says the format.

    Parameters
    ----------
    path
        The file. Without a known suffix it must be an ELF image.
    flash_base
        Where the board's flash begins: where a ``.bin`` goes, and vectors are looked for first.

    Raises
    ------
    SimulationError
        If the file cannot be read, is damaged, or is no image for Cortex-M.
    """
    where = printable(path.name.encode(errors="surrogateescape"))
    try:
        if path.exists() and not path.is_file():
            raise SimulationError("is no regular file", where=where, fix="give an image")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise SimulationError(
                "is larger than an image for a microcontroller can be",
                where=where,
                fix=f"give a file of up to {MAX_FILE_BYTES // 2**20} MiB",
            )
        blob = path.read_bytes()
    except (OSError, ValueError) as error:
        what = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise SimulationError(what, where=where, fix="check the path") from error
    reader = READERS.get(path.suffix.lower())
    if reader is None and blob.startswith(_ELF_MAGIC):
        reader = "elf"
    if reader is None:
        raise SimulationError(
            f"no reader for the suffix {path.suffix!r}",
            where=where,
            fix=f"give a file ending in {', '.join(READERS)}",
        )
    module = import_module(f"{__name__}.{reader}")
    image: Image = module.read(blob, flash_base, where)
    return image


def loaded_image(pieces: Iterable[Segment], flash_base: int, where: str) -> Image:
    """Make the image of a format that holds nothing but bytes and their addresses."""
    segments = join(pieces, where)
    starts = [flash_base, *(segment.address for segment in segments)]
    ends = tuple(segment.end for segment in segments)
    return Image(segments, ends, find_vectors(segments, starts, where), {}, ())


def join(pieces: Iterable[Segment], where: str) -> tuple[Segment, ...]:
    """Sort pieces by address and join those that touch.

    Raises
    ------
    SimulationError
        If there is nothing, or too much, or pieces overlap or leave the address space.
    """
    joined: list[tuple[int, bytearray]] = []
    end, total = -1, 0
    for piece in sorted(pieces, key=lambda piece: piece.address):
        if not piece.data:
            continue
        total += len(piece.data)
        if piece.end > ADDRESS_END or total > MAX_LOAD_BYTES:
            what = "leaves 32 bits" if piece.end > ADDRESS_END else "makes more than 64 MiB"
            raise SimulationError(
                f"data of {len(piece.data):,} bytes at {piece.address:#010x} {what}",
                where=where,
                fix="link the image for the board's memory",
            )
        if piece.address < end:
            raise SimulationError(
                f"two pieces of data overlap at {piece.address:#010x}",
                where=where,
                fix="make the image again, from one program",
            )
        if piece.address == end:
            joined[-1][1].extend(piece.data)
        else:
            joined.append((piece.address, bytearray(piece.data)))
        end = piece.end
    if not joined:
        raise SimulationError("holds nothing to load", where=where, fix="link the image again")
    return tuple(Segment(address, bytes(data)) for address, data in joined)


def find_vectors(segments: Sequence[Segment], starts: Iterable[int], where: str) -> int:
    """Return where the vector table stands.

    The first of ``starts`` whose words can be a stack pointer and an entry, or that a table
    follows behind an RP2040 boot loader; if there is none such, the first that is loaded at all.
    """
    first = None
    for start in starts:
        words = _two_words(segments, start)
        if words is None:
            continue
        first = start if first is None else first
        if _is_stack_pointer(words[0]) and words[1] & 1:
            return start
        behind = _two_words(segments, start + _BOOT2_BYTES)
        if behind and 0x2000_0000 <= behind[0] <= 0x2008_2000 and behind[1] & 1:
            return start + _BOOT2_BYTES
    if first is None:
        raise SimulationError(
            "too short to hold a vector table", where=where, fix="give a complete image"
        )
    return first


def printable(raw: bytes) -> str:
    """Decode a name out of an untrusted file, so that it cannot command a terminal."""
    text = raw.decode("utf-8", errors="backslashreplace")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def _is_stack_pointer(word: int) -> bool:
    """Say whether a word can be the initial stack pointer: an address in a RAM, aligned."""
    return 0x1000_0000 <= word < 0x4000_0000 and word % 4 == 0


def _two_words(segments: Sequence[Segment], address: int) -> tuple[int, int] | None:
    position = bisect.bisect_right(segments, address, key=lambda segment: segment.address) - 1
    if position < 0 or address + 8 > segments[position].end:
        return None
    offset = address - segments[position].address
    data = segments[position].data[offset : offset + 8]
    return int.from_bytes(data[:4], "little"), int.from_bytes(data[4:], "little")
