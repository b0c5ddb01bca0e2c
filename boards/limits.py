"""How large and how odd a board may be: a file of unknown making cannot fill the host's memory.

Names reach the linker and the screen, so they are words; texts are one line of printable letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinysim.boards import Board

FILE_BYTES_MAX = 256 * 1024
#: The emulator maps every region: what may be mapped of one, and of all.
REGION_BYTES_MAX, ALL_BYTES_MAX = 64 * 2**20, 128 * 2**20
#: What the native memory model has room for; banks are areas, too.
AREAS_MAX, CACHES_MAX = 16, 8
CACHE_BYTES_MAX = 2**20
WAIT_CYCLES_MAX = 10_000
CLOCK_HZ_MAX = 10_000_000_000
TEXT_MAX = 2000
PROBLEMS_MAX = 40

#: Regions are mapped in pages of so much.
PAGE_BYTES = 4096
#: Addresses that peripherals, the core's own registers and the emulator have.
_TAKEN = (
    (0x1EEE_E000, 0x1EEF_0000, "the emulator"),
    (0x4000_0000, 0x6000_0000, "peripherals"),
    (0xE000_0000, 1 << 32, "the core's registers"),
)
_BOARD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")
_BIT = re.compile(r"[A-Za-z0-9_]{1,32}\.[A-Za-z0-9_]{1,32}\.[0-9]{1,2}")


def shown(value: Any) -> str:
    """Return a value of a file for a message: short, and in letters that a terminal only prints."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def taken_by(base: int, end: int) -> str | None:
    """Return whose addresses some of these are, if they are not free for memory."""
    owners = (owner for first, after, owner in _TAKEN if base < after and first < end)
    return next(owners, None)


def told(problems: list[str]) -> str:
    """Return problems as one line, in letters that a terminal only prints."""
    first = "; ".join(problems[:PROBLEMS_MAX])
    if len(problems) > PROBLEMS_MAX:
        first += f"; and {len(problems) - PROBLEMS_MAX:,} more"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in first)


def beyond_limits(board: Board) -> list[str]:
    """Return what about a board is too large, or no name."""
    return [*_names(board), *_texts(board), *_numbers(board), *_addresses(board)]


def _names(board: Board) -> Iterator[str]:
    if not _BOARD_NAME.fullmatch(board.name):
        yield f"name {shown(board.name)} is more than letters, digits and _.-"
    for kind, rows in (("region", board.regions), ("cache", board.caches), ("bank", board.banks)):
        for row in rows:
            if not _NAME.fullmatch(row.name):
                yield f"{kind} {shown(row.name)} is more than letters, digits and _"
    for cache in board.caches:
        for bit in (cache.enabled_by, cache.prefetched_by):
            if bit is not None and not _BIT.fullmatch(bit):
                yield f"cache.{shown(cache.name)}: {shown(bit)} is no BLOCK.REGISTER.bit"


def _texts(board: Board) -> Iterator[str]:
    texts = {
        "title": board.title,
        "mcu": board.mcu,
        "core": board.core,
        "family": board.family or "",
        "console": board.console or "",
        "clock.source": board.clock.source,
    }
    for kind, rows in (("region", board.regions), ("cache", board.caches), ("bank", board.banks)):
        texts |= {f"{kind}.{row.name}.source": row.source for row in rows}
    if board.memory_accuracy is not None:
        texts["memory_accuracy.source"] = board.memory_accuracy.source
    if board.power is not None:
        texts |= {"power.mode": board.power.mode, "power.source": board.power.source}
    if board.sleep is not None:
        texts |= {"sleep.mode": board.sleep.mode, "sleep.source": board.sleep.source}
    for key, text in texts.items():
        if len(text) > TEXT_MAX or not text.isprintable():
            yield f"{shown(key)}: not one line of at most {TEXT_MAX:,} printable letters"


def _numbers(board: Board) -> Iterator[str]:
    if board.clock.hz > CLOCK_HZ_MAX:
        yield f"clock: over {CLOCK_HZ_MAX:,} Hz"
    if board.hse_hz is not None and not 0 < board.hse_hz <= CLOCK_HZ_MAX:
        yield f"hse_hz: not between 1 and {CLOCK_HZ_MAX:,} Hz"
    if len(board.regions) + len(board.banks) > AREAS_MAX or len(board.caches) > CACHES_MAX:
        yield f"over {AREAS_MAX} regions and banks, or over {CACHES_MAX} caches"
    for region in board.regions:
        waits = (region.wait_states, region.wait_states + region.extra_cycles)
        if region.wait_states < 0 or max(map(abs, waits)) > WAIT_CYCLES_MAX:
            yield f"region.{region.name}: waits for less than 0 or over {WAIT_CYCLES_MAX:,} cycles"
    for cache in board.caches:
        if max(cache.lines, cache.line_bytes) > CACHE_BYTES_MAX or (
            cache.lines * cache.line_bytes > CACHE_BYTES_MAX
        ):
            yield f"cache.{cache.name}: over {CACHE_BYTES_MAX:,} B"
    for bank in board.banks:
        if bank.size_bytes <= 0 or not 0 <= bank.burst_cycles <= WAIT_CYCLES_MAX:
            yield f"bank.{bank.name}: size_bytes or burst_cycles out of range"
    accuracy = board.memory_accuracy
    if accuracy is not None and not -1 < accuracy.error_low <= 0 <= accuracy.error_high <= 10:
        yield "memory_accuracy: needs -1 < error_low <= 0 <= error_high <= 10"


def _addresses(board: Board) -> Iterator[str]:
    for region in board.regions:
        if not 0 < region.size_bytes <= REGION_BYTES_MAX:
            yield f"region.{region.name}: size_bytes not between 1 and {REGION_BYTES_MAX:,}"
        if region.base < 0 or region.end > 1 << 32:
            yield f"region.{region.name}: outside the 4 GB of addresses"
        if (owner := taken_by(region.base, region.end)) is not None:
            yield f"region.{region.name}: takes addresses of {owner}"
    if sum(region.size_bytes for region in board.regions) > ALL_BYTES_MAX:
        yield f"regions hold over {ALL_BYTES_MAX:,} B in all"
    for low, high in pairwise(sorted(board.regions, key=lambda region: region.base)):
        if low.end <= high.base and (low.end - 1) // PAGE_BYTES == high.base // PAGE_BYTES:
            yield f"regions {low.name} and {high.name} share 4 KB, which cannot be told apart"
