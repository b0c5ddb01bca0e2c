"""A board file as far as others know the chip; what they do not know stands in it as missing."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tinysim.boards import Board, parse_board
from tinysim.boards.importing import Fact, Findings, FoundRegion
from tinysim.boards.limits import (
    ALL_BYTES_MAX,
    AREAS_MAX,
    PAGE_BYTES,
    REGION_BYTES_MAX,
    taken_by,
)

#: What is too low where memory waits and nothing is known of it: the worst of 20 measured images
#: whose waits were not counted (traces/accuracy.py).
_UNCOUNTED_WAITS_LOW = -0.28
_UNKNOWN = (
    "wait states and caches of flash: without them no wait is counted, and time is too low",
    "[power]: without it energy is unknown",
    "family, console, hse_hz: only firmware of your own needs them",
)


@dataclass(frozen=True)
class Draft:
    """The text of a board file; it loads unless something is ``missing``."""

    text: str
    missing: tuple[str, ...]

    def board(self) -> Board:
        """Load a draft in which nothing is missing."""
        return parse_board(tomllib.loads(self.text), where="the draft", sha256="", is_own=True)


@dataclass(frozen=True)
class Told:
    """What the user has told of the board."""

    name: str | None = None
    title: str | None = None
    mcu: str | None = None
    core: str | None = None
    clock_hz: int | None = None


def draft(findings: Findings, told: Told, cores: Sequence[str]) -> Draft:
    """Write down what was found and told; ``cores`` are the names to choose a core from."""
    regions, left_out = _usable(findings.regions)
    core = Fact(told.core, "") if told.core else findings.core
    clock = findings.clock_hz
    if told.clock_hz is not None:
        clock = Fact(told.clock_hz, "told at the import; name the clock's source here")
    code = max((r for r in regions if r.kind == "flash"), key=_size, default=None)
    data = max((r for r in regions if r.kind == "ram"), key=_size, default=None)
    missing = [
        what
        for what, is_missing in (
            ('name = "..." (--name)', told.name is None),
            (f'core = "..." (--core), one of {", ".join(cores)}', core is None),
            ("[clock] hz and source (--clock-hz)", clock is None),
            ("a region of flash, and [placement] code", code is None),
            ("a region of RAM, and [placement] data, stack and arena", data is None),
        )
        if is_missing
    ]
    lines = [f"# missing: {what}" for what in missing]
    lines += [f"# missing: {what}" for what in _UNKNOWN]
    lines += [f"# left out: {what}" for what in left_out]
    mcu = told.mcu or findings.mcu or "not stated"
    title = told.title or told.name or mcu
    lines += ["", *([] if told.name is None else [f"name = {_quoted(told.name)}"])]
    lines += [f"title = {_quoted(title)}", f"mcu = {_quoted(mcu)}"]
    if core is not None:
        lines.append(
            f"core = {_quoted(str(core.value))}" + (f" # {core.source}" * bool(core.source))
        )
    if clock is not None:
        lines += ["", "[clock]", f"hz = {clock.value:_}", f"source = {_quoted(clock.source)}"]
    for region in regions:
        lines += ["", *_region(region)]
    if code is not None and data is not None:
        lines += ["", "[placement]", f'code = "{code.name}"', f'data = "{data.name}"']
        lines += [f'stack = "{data.name}"', f'arena = ["{data.name}"]']
    lines += ["", "[memory_accuracy]", f"error_low = {_UNCOUNTED_WAITS_LOW}", "error_high = 0.0"]
    source = (
        "imported: waits for flash are not counted; the worst of 20 measured images without them"
    )
    lines.append(f"source = {_quoted(source)}")
    return Draft("\n".join(lines) + "\n", tuple(missing))


def _region(region: FoundRegion) -> Iterator[str]:
    yield f"[region.{region.name}]"
    yield f'kind = "{region.kind}"'
    yield f"base = 0x{region.base >> 16:04X}_{region.base & 0xFFFF:04X}"
    yield f"size_bytes = {region.size_bytes:_}"
    yield f"source = {_quoted(region.source)}"


def _size(region: FoundRegion) -> int:
    return region.size_bytes


def _usable(found: Sequence[FoundRegion]) -> tuple[list[FoundRegion], list[str]]:
    """Return the regions that a board may have, under names of its own, and why not the others."""
    kept: list[FoundRegion] = []
    left_out = []
    for region in found:
        if (reason := _reason(region, kept)) is not None:
            size = f"0x{region.base:08x}, {region.size_bytes:,} B"
            left_out.append(f"{_printable(region.name)} ({size}): {reason}")
        else:
            kept.append(replace(region, name=_free_name(region.name, [one.name for one in kept])))
    return kept, left_out


def _reason(region: FoundRegion, kept: Sequence[FoundRegion]) -> str | None:
    """Return why a region cannot stand beside those that are kept, if it cannot."""
    if region.size_bytes <= 0:
        return "it is empty"
    if region.size_bytes > REGION_BYTES_MAX:
        return f"over {REGION_BYTES_MAX // 2**20} MB; give it the size that the board has"
    if region.base < 0 or region.end > 1 << 32:
        return "outside the 4 GB of addresses"
    if (owner := taken_by(region.base, region.end)) is not None:
        return f"these are addresses of {owner}"
    for other in kept:
        if region.base < other.end and other.base < region.end:
            return f"it overlaps {other.name}"
        ends = ((other.end, region.base), (region.end, other.base))
        if any(low <= high and (low - 1) // PAGE_BYTES == high // PAGE_BYTES for low, high in ends):
            return f"it shares 4 KB with {other.name}"
    if len(kept) == AREAS_MAX:
        return f"a board has at most {AREAS_MAX} regions"
    if sum(map(_size, kept)) + region.size_bytes > ALL_BYTES_MAX:
        return f"with it there would be over {ALL_BYTES_MAX // 2**20} MB in all"
    return None


def _free_name(name: str, used: Sequence[str]) -> str:
    """Return a name as board files have them, that is not used yet."""
    plain = re.sub(r"[^a-z0-9_]", "_", name.lower())[:24] or "memory"
    plain = plain if plain[0].isalpha() else f"m_{plain}"
    candidates = (plain, *(f"{plain}_{number}" for number in range(2, AREAS_MAX + 2)))
    return next(one for one in candidates if one not in used)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:500]


def _quoted(text: str) -> str:
    """Return a string as TOML writes it."""
    plain = _printable(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'
