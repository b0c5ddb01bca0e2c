"""Boards as data: one TOML file a board, and the loader that refuses what has no source.

A board file that names another one in ``extends`` starts from that one and says only what
differs; its regions, caches and banks are merged by name, and it may be ``without`` a table.
"""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import Any, TypeVar

from tinysim.errors import BoardError

_HERE = files("tinysim.boards")
_Row = TypeVar("_Row")


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


@lru_cache
def load_board(name: str) -> Board:
    """Read ``boards/<name>.toml``.

    Raises
    ------
    BoardError
        If there is no such board, or its file breaks the schema.
    """
    if name not in board_names():
        near = difflib.get_close_matches(name, board_names(), n=3, cutoff=0.4)
        hint = (
            f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(board_names())}"
        )
        raise BoardError("there is no such board", where=f"--board {name}", fix=hint)
    text, table = _read_table(name)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return parse_board(table, where=f"boards/{name}.toml", sha256=digest)


def parse_board(table: dict[str, Any], *, where: str, sha256: str) -> Board:
    """Turn a board's table into a ``Board``, or say everything that is wrong with it."""
    problems: list[str] = []
    table = dict(table)
    regions = tuple(
        _row(MemoryRegion, {"name": name, **row}, f"region.{name}", problems)
        for name, row in table.pop("region", {}).items()
    )
    caches = tuple(
        _row(Cache, {"name": name, **row}, f"cache.{name}", problems)
        for name, row in table.pop("cache", {}).items()
    )
    banks = tuple(
        _row(Bank, {"name": name, **row}, f"bank.{name}", problems)
        for name, row in table.pop("bank", {}).items()
    )
    placement = table.pop("placement", {})
    if isinstance(placement.get("arena"), list):
        placement = {**placement, "arena": tuple(placement["arena"])}
    power, memory = table.pop("power", None), table.pop("memory_accuracy", None)
    sleep = table.pop("sleep", None)
    parts: dict[str, Any] = {
        "clock": _row(Clock, table.pop("clock", {}), "clock", problems),
        "placement": _row(Placement, placement, "placement", problems),
        "memory_accuracy": _row(MemoryAccuracy, memory, "memory_accuracy", problems)
        if memory is not None
        else None,
        "power": _row(Power, power, "power", problems) if power is not None else None,
        "sleep": _row(Sleep, sleep, "sleep", problems) if sleep is not None else None,
    }
    required, optional = {"name", "title", "mcu", "core"}, {"family", "console", "hse_hz"}
    problems += [f"unknown key {key!r}" for key in sorted(table.keys() - required - optional)]
    problems += [f"missing {key!r}" for key in sorted(required - table.keys())]
    if not problems:
        board = Board(**table, **parts, regions=regions, caches=caches, banks=banks, sha256=sha256)
        problems += _contradictions(board)
    if problems:
        raise BoardError(
            "; ".join(problems), where=where, fix="see docs/boards.md for what a board file holds"
        )
    return board


def _read_table(name: str) -> tuple[str, dict[str, Any]]:
    """Return a board file's text and table, laid over the board that it extends."""
    text = (_HERE / f"{name}.toml").read_text(encoding="utf-8")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BoardError(
            f"not TOML: {error}", where=f"boards/{name}.toml", fix="mend the file"
        ) from error
    if (parent := table.pop("extends", None)) is None:
        return text, table
    parent_text, base = _read_table(parent)
    for key in table.pop("without", ()):
        del base[key]
    named = {}
    for kind in ("region", "cache", "bank"):
        named[kind] = rows = base.get(kind, {})
        for key, row in table.pop(kind, {}).items():
            rows[key] = rows.get(key, {}) | row
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


def _row(kind: type[_Row], row: dict[str, Any], where: str, problems: list[str]) -> _Row:
    """Build ``kind`` from a TOML table; unknown and missing keys go to ``problems``."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    try:
        unknown = row.keys() - known
        problems += [f"{where}: unknown key {key!r}" for key in sorted(unknown)]
        return kind(**{key: value for key, value in row.items() if key in known})
    except TypeError as error:
        problems.append(f"{where}: {str(error).split('__init__() ')[-1]}")
        return None  # type: ignore[return-value]


def _contradictions(board: Board) -> list[str]:
    """Return what cannot be true of a board that is formally complete."""
    found = []
    ordered = sorted(board.regions, key=lambda region: region.base)
    for region in ordered:
        if not region.source.strip():
            found.append(f"region.{region.name}: empty source")
        if region.kind not in ("flash", "ram"):
            found.append(f"region.{region.name}: kind is {region.kind!r}, not flash or ram")
        if not 0 <= region.reserved_bytes < region.size_bytes:
            found.append(f"region.{region.name}: reserved_bytes out of range")
    for bank in board.banks:
        if not bank.source.strip():
            found.append(f"bank.{bank.name}: empty source")
        if not any(r.base <= bank.base and bank.base + bank.size_bytes <= r.end for r in ordered):
            found.append(f"bank.{bank.name} lies in no region")
    known = {cache.name for cache in board.caches}
    for region in ordered:
        for used in (region.code, region.data):
            if used is not None and used not in known:
                found.append(f"region.{region.name} names {used!r}, which is no cache")
    for cache in board.caches:
        found += _impossible(cache)
    for low, high in pairwise(ordered):
        if low.end > high.base:
            found.append(f"regions {low.name} and {high.name} overlap")
    names = {region.name for region in board.regions}
    place = board.placement
    for used in (place.code, place.constants, place.data, place.stack, *place.arena):
        if used not in names:
            found.append(f"placement names {used!r}, which is no region")
    if any(region.name == place.code and region.is_data_only for region in ordered):
        found.append(f"placement: no code runs in {place.code!r}")
    if board.clock.hz <= 0 or not board.clock.source.strip():
        found.append("clock: needs a positive hz and a source")
    if board.power and not 0 < board.power.low_w <= board.power.typical_w <= board.power.high_w:
        found.append("power: needs 0 < low_w <= typical_w <= high_w")
    if (sleep := board.sleep) is not None:
        if sleep.power_w <= 0 or not sleep.source.strip():
            found.append("sleep: needs a positive current_a and supply_v and a source")
        if sleep.covers not in ("chip", "board"):
            found.append(f"sleep: covers is {sleep.covers!r}, not chip or board")
    return found


def _impossible(cache: Cache) -> list[str]:
    """Return what a cache cannot be like."""
    where, found = f"cache.{cache.name}", []
    if not cache.source.strip():
        found.append(f"{where}: empty source")
    sizes = (cache.lines, cache.ways, cache.line_bytes, cache.word_bytes)
    if any(size < 1 or size & (size - 1) for size in sizes):
        found.append(f"{where}: lines, ways, line_bytes and word_bytes are powers of two")
    elif (
        cache.lines < cache.ways
        or not cache.word_bytes <= cache.line_bytes <= 32 * cache.word_bytes
    ):
        found.append(f"{where}: needs ways <= lines, and 1 to 32 words in a line")
    return found
