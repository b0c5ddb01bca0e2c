"""Markdown for the summary of a CI step or a comment: verdict, numbers, slowest layers, memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tinysim.report._table import printable, short, si
from tinysim.simulator.profile import Profile

MAX_LAYERS = 10

_MARKS = re.compile(r"""[]!"#$&'*:;<>?@[\\^`{|}~]|\b_+|_+\b|(?<=www)\.""", re.IGNORECASE)


def render(profile: Profile) -> str:
    """Render as GitHub Flavored Markdown."""
    title = f"{code(profile.model_name)} on {code(profile.board)}"
    parts = [
        f"### {title}",
        f"**{escaped(profile.verdict)}**",
        *_wrong(profile),
        _table(("", "value", "between", "and"), _numbers(profile)),
        _table(("slowest layers", "operator", "cycles", "share", "most lost to"), _layers(profile)),
        _table(("memory", "used", "of", "share", "for"), _memory(profile)),
        _conditions(profile),
    ]
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Write what Markdown or HTML may take for markup, links or mentions as entities."""
    return _MARKS.sub(lambda match: "".join(f"&#{ord(c)};" for c in match[0]), printable(text))


def code(text: str) -> str:
    """Write a name as code, as it is."""
    return f"<code>{escaped(text)}</code>"


def _table(headings: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _wrong(profile: Profile) -> list[str]:
    check = profile.output_check
    if check.status != "mismatch":
        return []
    return [
        f"**OUTPUT WRONG: differs from the host's by {check.max_ulp:,}. Do not trust this run.**"
    ]


def _numbers(profile: Profile) -> Iterator[Sequence[str]]:
    fastest, slowest = profile.latency_band_s
    yield ("latency", si(profile.latency_s, "s"), si(fastest, "s"), si(slowest, "s"))
    yield ("cycles", f"{profile.cycles:,}", "", "")
    energy = profile.energy
    if energy is None:
        yield ("energy", "unknown", "", "")
    else:
        yield ("energy", *(si(j, "J") for j in (energy.typical_j, energy.low_j, energy.high_j)))
    yield ("MACs", f"{profile.macs:,}", "", "")
    yield ("RAM", f"{profile.used_bytes('ram'):,} B", "", "")
    yield ("flash", f"{profile.used_bytes('flash'):,} B", "", "")


def _layers(profile: Profile) -> Iterator[Sequence[str]]:
    ranked = sorted(profile.layers, key=lambda layer: -layer.counters.cycles)
    for layer in ranked[:MAX_LAYERS]:
        counters = layer.counters
        cause = max(counters.stalls, key=lambda cause: counters.stalls[cause])
        lost = counters.stalls[cause] / max(1, counters.cycles)
        yield (
            f"{layer.index} {code(short(layer.name))}",
            escaped(layer.op),
            f"{counters.cycles:,}",
            f"{counters.cycles / max(1, profile.cycles):.1%}",
            f"{cause} {lost:.0%}" if lost else "",
        )
    if hidden := ranked[MAX_LAYERS:]:
        cycles = sum(layer.counters.cycles for layer in hidden)
        share = f"{cycles / max(1, profile.cycles):.1%}"
        yield (f"{len(hidden)} faster", "", f"{cycles:,}", share, "")


def _memory(profile: Profile) -> Iterator[Sequence[str]]:
    for region in profile.regions:
        if region.used_bytes:
            share = region.used_bytes / max(1, region.usable_bytes)
            causes = sorted(region.used.items(), key=lambda item: -item[1])
            over = f" **over by {region.overflow_bytes:,} B**" if region.overflow_bytes else ""
            yield (
                f"{region.name} ({region.kind})",
                f"{region.used_bytes:,} B{over}",
                f"{region.usable_bytes:,} B",
                f"{share:.1%}",
                ", ".join(f"{cause} {size:,}" for cause, size in causes if size),
            )


def _conditions(profile: Profile) -> str:
    timing, check = profile.timing, profile.output_check
    lines = [
        f"board: {escaped(profile.board_title)}, {escaped(profile.core)}, "
        f"{profile.clock_hz / 1e6:g} MHz",
        f"grade {timing.grade}: error {timing.error_low:+.0%} to {timing.error_high:+.0%}, "
        f"fidelity {timing.fidelity}",
        f"output: {check.status}, up to {check.max_ulp:,} apart from {escaped(check.oracle)}",
        f"arena {profile.arena_bytes:,} B, at best {profile.arena_lower_bound_bytes:,} B; "
        f"stack {profile.stack_bytes:,} B",
        f"model {code(profile.model_sha256)}",
        f"{escaped(profile.toolchain.version)}, {code(' '.join(profile.toolchain.flags))}",
        f"tinysim {profile.tinysim_version}",
        *(f"removed {escaped(what)}" for what in profile.removed),
    ]
    items = "\n".join(f"- {line}" for line in lines)
    return f"<details><summary>Conditions</summary>\n\n{items}\n\n</details>"
