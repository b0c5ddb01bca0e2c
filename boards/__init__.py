"""Boards as data: one TOML file a board, and the loader that refuses what has no source.

A board file that names another one in ``extends`` starts from that one and says only what
differs; its regions, caches and banks are merged by name, and it may be ``without`` a table.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from tinysim.boards.checks import contradictions, unknown_parts
from tinysim.boards.limits import FILE_BYTES_MAX, beyond_limits, shown, told
from tinysim.boards.rows import row_of, rows_of, wrong_type
from tinysim.errors import BoardError
from tinysim.problems import near

_HERE = files("tinysim.boards")


@dataclass(frozen=True)
class MemoryRegion:
    """One block of memory, as the reference manual lists it.

    ``reserved_bytes`` at its start belong to somebody else (a boot loader, a vendor's core
    library). ``code`` and ``data`` name the caches that fetches and loads go through; what is
    not there costs ``wait_states`` (those of flash are firmware's to program) and
    ``extra_cycles`` (the bus). Without a cache there is no wait. No code runs in a region that
    ``is_data_only``.
    """

    name: str
    kind: str
    base: int
    size_bytes: int
    source: str
    reserved_bytes: int = 0
    wait_states: int = 0
    extra_cycles: int = 0
    code: str | None = None
    data: str | None = None
    is_data_only: bool = False

    @property
    def usable_base(self) -> int:
        """First address that an application may use."""
        return self.base + self.reserved_bytes

    @property
    def usable_bytes(self) -> int:
        """Bytes that an application may use."""
        return self.size_bytes - self.reserved_bytes

    @property
    def end(self) -> int:
        """First address behind the region."""
        return self.base + self.size_bytes


@dataclass(frozen=True)
class Bank:
    """A part of the RAM behind a port of its own.

    ``burst_cycles`` is what the first of several accesses in a row costs more than in other RAM.
    """

    name: str
    base: int
    size_bytes: int
    burst_cycles: int
    source: str


@dataclass(frozen=True)
class Cache:
    """A cache, or a buffer, which is a cache of one set.

    ``lines`` of ``line_bytes`` stand in sets of ``ways``. Memory delivers ``word_bytes`` at a time;
    a miss brings the line (``fills_line``) or that word. ``prefetches`` says that fetches read the
    next word ahead. ``enabled_by`` and ``prefetched_by`` are the bits with which firmware switches
    them, written ``BLOCK.REGISTER.bit``.
    """

    name: str
    lines: int
    ways: int
    line_bytes: int
    word_bytes: int
    source: str
    fills_line: bool = False
    prefetches: bool = False
    is_enabled: bool = True
    enabled_by: str | None = None
    prefetched_by: str | None = None


@dataclass(frozen=True)
class Clock:
    """Core clock in Hz."""

    hz: int
    source: str


@dataclass(frozen=True)
class Placement:
    """Which region holds what; for ``arena``, the first region that it fits, in this order.

    Weights are where the code is if nothing else is said. What is not in flash is copied there by
    whoever starts the image.
    """

    code: str
    data: str
    stack: str
    arena: tuple[str, ...]
    weights: str | None = None

    @property
    def constants(self) -> str:
        """The region that holds the weights."""
        return self.weights or self.code


@dataclass(frozen=True)
class MemoryAccuracy:
    """What a board's memory system may add to the core's error band, where it was not measured.

    The error is ``(simulated - measured) / measured``.
    """

    error_low: float
    error_high: float
    source: str


@dataclass(frozen=True)
class Power:
    """Power while running, in watts, and in which supply mode."""

    mode: str
    low_w: float
    typical_w: float
    high_w: float
    source: str


@dataclass(frozen=True)
class Sleep:
    """Current while asleep, with RAM kept and a timer that wakes the core.

    ``covers`` says whose current it is: the ``chip`` alone, or the whole ``board`` with regulator
    and lights.
    """

    current_a: float
    supply_v: float
    covers: str
    mode: str
    source: str

    @property
    def power_w(self) -> float:
        """Watts while asleep."""
        return self.current_a * self.supply_v


@dataclass(frozen=True)
class Board:
    """A microcontroller board: what is where, how fast, and what it draws.

    ``family`` names the description of the chip's peripherals, ``console`` the UART that the
    board brings to its user, ``hse_hz`` the crystal that is soldered on.
    """

    name: str
    title: str
    mcu: str
    core: str
    clock: Clock
    regions: tuple[MemoryRegion, ...]
    placement: Placement
    memory_accuracy: MemoryAccuracy | None
    power: Power | None
    sha256: str
    caches: tuple[Cache, ...] = ()
    banks: tuple[Bank, ...] = ()
    family: str | None = None
    console: str | None = None
    hse_hz: int | None = None
    sleep: Sleep | None = None

    def region(self, name: str) -> MemoryRegion:
        """Return the region called ``name``."""
        return next(region for region in self.regions if region.name == name)


def board_names() -> tuple[str, ...]:
    """Return the names of all boards, sorted: the folder is the registry."""
    return tuple(sorted(path.name[:-5] for path in _HERE.iterdir() if path.name.endswith(".toml")))


def load_board(name: str) -> Board:
    """Read ``boards/<name>.toml``, or the file at a path that ends in ``.toml``.

    Raises
    ------
    BoardError
        If there is no such board, or its file breaks the schema.
    """
    return _load_file(Path(name)) if name.endswith(".toml") else _load_known(name)


@lru_cache
def _load_known(name: str) -> Board:
    """Read a file of the folder."""
    if name not in board_names():
        hint = near(name, board_names())
        raise BoardError("there is no such board", where=f"--board {name}", fix=hint)
    text, table = _read_table(name)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return parse_board(table, where=f"boards/{name}.toml", sha256=digest)


def _load_file(path: Path) -> Board:
    """Read a user's own file: of anybody's making, and of a board that nobody has measured."""
    try:
        with path.open("rb") as stream:
            content = stream.read(FILE_BYTES_MAX + 1)
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BoardError(
            f"cannot be read ({error})",
            where=str(path),
            fix="give a board file, see docs/boards.md",
        ) from error
    if len(content) > FILE_BYTES_MAX:
        raise BoardError(
            f"has over {FILE_BYTES_MAX:,} bytes", where=str(path), fix="give a board file"
        )
    text, table = _laid_over(text, str(path))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return parse_board(table, where=str(path), sha256=digest, is_own=True)


def parse_board(table: dict[str, Any], *, where: str, sha256: str, is_own: bool = False) -> Board:
    """Turn a board's table into a ``Board``, or say everything that is wrong with it.

    A board of the user's own may not take a known one's name, whose measurements would vouch for
    it, and says itself how well its memory is known.
    """
    problems: list[str] = []
    table = dict(table)
    regions = rows_of(MemoryRegion, "region", table, problems)
    caches = rows_of(Cache, "cache", table, problems)
    banks = rows_of(Bank, "bank", table, problems)
    placement = table.pop("placement", {})
    if isinstance(placement, dict) and isinstance(placement.get("arena"), list):
        placement = {**placement, "arena": tuple(placement["arena"])}
    parts: dict[str, Any] = {
        "clock": row_of(Clock, table.pop("clock", {}), "clock", problems),
        "placement": row_of(Placement, placement, "placement", problems),
    }
    for key, kind in (("memory_accuracy", MemoryAccuracy), ("power", Power), ("sleep", Sleep)):
        row = table.pop(key, None)
        parts[key] = None if row is None else row_of(kind, row, key, problems)
    required, optional = {"name", "title", "mcu", "core"}, {"family", "console", "hse_hz"}
    problems += [f"unknown key {shown(key)}" for key in sorted(table.keys() - required - optional)]
    problems += [f"missing {key!r}" for key in sorted(required - table.keys())]
    kinds = {field.name: str(field.type) for field in fields(Board)}
    for key in sorted(table.keys() & (required | optional)):
        problems += wrong_type(key, table[key], kinds[key])
    if is_own and parts["memory_accuracy"] is None:
        problems.append("missing 'memory_accuracy': how far the board's memory can be trusted")
    if is_own and table.get("name") in board_names():
        problems.append(f"name {shown(table['name'])} is that of a board that is known already")
    if not problems:
        board = Board(**table, **parts, regions=regions, caches=caches, banks=banks, sha256=sha256)
        problems += beyond_limits(board)
        problems += contradictions(board)
        if is_own and not problems:
            problems += unknown_parts(board)
    if problems:
        raise BoardError(
            told(problems), where=where, fix="see docs/boards.md for what a board file holds"
        )
    return board


def _read_table(name: str) -> tuple[str, dict[str, Any]]:
    """Return a board file's text and table, laid over the board that it extends."""
    text = (_HERE / f"{name}.toml").read_text(encoding="utf-8")
    return _laid_over(text, f"boards/{name}.toml")


def _laid_over(text: str, where: str) -> tuple[str, dict[str, Any]]:
    """Return text and table of a board file, laid over the board that it extends."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BoardError(told([f"not TOML: {error}"]), where=where, fix="mend the file") from error
    if (parent := table.pop("extends", None)) is None:
        return text, table
    if parent not in board_names():
        raise BoardError(
            f"extends {shown(parent)}, which is no board",
            where=where,
            fix=f"known: {', '.join(board_names())}",
        )
    parent_text, base = _read_table(parent)
    without = table.pop("without", [])
    problems = [
        f"without {shown(key)}, which {parent} does not have"
        for key in (without if isinstance(without, list) else [without])
        if not isinstance(key, str) or base.pop(key, None) is None
    ]
    named = {}
    for kind in ("region", "cache", "bank"):
        named[kind] = rows = base.get(kind, {})
        over = table.pop(kind, {})
        if not isinstance(over, dict) or not all(isinstance(row, dict) for row in over.values()):
            problems.append(f"{kind}: not a table of tables")
            continue
        for key, row in over.items():
            rows[key] = rows.get(key, {}) | row
    if problems:
        raise BoardError(told(problems), where=where, fix="mend the file")
    return parent_text + text, base | table | named


def without_banks(board: Board, names: Iterable[str]) -> Board:
    """Return a board whose RAM ends before the banks that are named.

    Raises
    ------
    BoardError
        If there is no such bank, or something of its region lies behind it.
    """
    for name in names:
        bank = next((bank for bank in board.banks if bank.name == name), None)
        if bank is None:
            known = ", ".join(one.name for one in board.banks) or "none"
            raise BoardError(
                f"{board.name} has no bank {name}", where="--avoid", fix=f"its banks: {known}"
            )
        around = next(one for one in board.regions if one.base <= bank.base < one.end)
        if bank.base + bank.size_bytes != around.end or bank.base == around.base:
            raise BoardError(
                f"bank {name} is not the end of {around.name}",
                where="--avoid",
                fix="write a board file of your own with another placement",
            )
        shorter = replace(around, size_bytes=bank.base - around.base)
        board = replace(
            board,
            regions=tuple(shorter if one is around else one for one in board.regions),
            banks=tuple(one for one in board.banks if one is not bank),
        )
    return board
