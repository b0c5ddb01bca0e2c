"""The report of foreign firmware: totals, functions and hottest instructions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tinysim.report._table import printable, si
from tinysim.simulator.profile import FirmwareProfile

MAX_FUNCTIONS = 20
#: The call tree shows branches with at least this share of the cycles, and this many.
TREE_SHARE_MIN, MAX_TREE = 0.01, 30


def firmware_report(profiles: Sequence[FirmwareProfile]) -> Group:
    """Return the whole report, of the last of several windows: the steady state."""
    profile = profiles[-1]
    return Group(
        Text.assemble(
            (printable(profile.image_name), "bold"),
            f" on {profile.board_title} ({profile.core}, {profile.clock_hz / 1e6:g} MHz "
            f"{profile.clock_source}): {printable(profile.window)}",
        ),
        _functions(profile),
        _tree(profile),
        _hottest(profile),
        *_totals(profile),
        *_repeats(profiles),
    )


def firmware_totals(profiles: Sequence[FirmwareProfile]) -> Group:
    """Return the totals alone."""
    return Group(*_totals(profiles[-1]), *_repeats(profiles))


def _functions(profile: FirmwareProfile) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("function", no_wrap=True)
    for heading in ("calls", "self cycles", "share", "with callees", "instructions"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("mostly", no_wrap=True)
    for one in profile.functions[:MAX_FUNCTIONS]:
        causes = {"issue": one.own.issue_cycles, **one.own.stalls}
        table.add_row(
            Text(printable(one.name) if one.name != "?" else f"{one.address:#010x}"),
            f"{one.calls:,}",
            f"{one.own.cycles:,}",
            f"{one.own.cycles / max(1, profile.cycles):.1%}",
            f"{one.inclusive_cycles:,}",
            f"{one.own.instructions:,}",
            max(causes, key=lambda cause: causes[cause]),
        )
    if len(profile.functions) > MAX_FUNCTIONS:
        rest = sum(one.own.cycles for one in profile.functions[MAX_FUNCTIONS:])
        more = f"{len(profile.functions) - MAX_FUNCTIONS} more"
        table.add_row(more, "", f"{rest:,}", f"{rest / max(1, profile.cycles):.1%}", "", "", "")
    return table


def _tree(profile: FirmwareProfile) -> Table:
    """Return the call tree down to where little is left, the most expensive branch first."""
    inclusive: Counter[tuple[str, ...]] = Counter()
    for path, cycles in profile.paths:
        for depth in range(1, len(path) + 1):
            inclusive[path[:depth]] += cycles
    enough = profile.cycles * TREE_SHARE_MIN
    shown = [path for path, cycles in inclusive.items() if cycles >= enough and cycles]

    def rank(path: tuple[str, ...]) -> list[tuple[int, str]]:
        return [(-inclusive[path[:depth]], path[depth - 1]) for depth in range(1, len(path) + 1)]

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("\ncall tree", no_wrap=True)
    for heading in ("\nwith callees", "\nshare"):
        table.add_column(heading, justify="right", no_wrap=True)
    for path in sorted(shown, key=rank)[:MAX_TREE]:
        table.add_row(
            Text("  " * (len(path) - 1) + printable(path[-1])),
            f"{inclusive[path]:,}",
            f"{inclusive[path] / max(1, profile.cycles):.1%}",
        )
    return table


def _hottest(profile: FirmwareProfile) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("\nhottest", "executions", "instruction", "in", "line"):
        table.add_column(heading, no_wrap=True)
    for spot in profile.hottest[:10]:
        table.add_row(
            f"{spot.address:#010x}",
            f"{spot.executions:,}",
            Text(spot.text),
            Text(printable(spot.function)),
            Text(printable(spot.line)),
        )
    return table


def _totals(profile: FirmwareProfile) -> list[Text]:
    timing = profile.timing
    stack = "unknown" if profile.stack_bytes is None else f"{profile.stack_bytes:,} B"
    lines = [
        f"\n{profile.cycles:,} cycles = {si(profile.latency_s, 's')}; "
        f"{profile.total.instructions:,} instructions; exceptions {profile.exception_cycles:,}, "
        f"asleep {profile.sleep_cycles:,} cycles; stack peak {stack}",
        f"grade {timing.grade}, error {timing.error_low:+.0%} to {timing.error_high:+.0%}, "
        f"fidelity {timing.fidelity}; image {profile.image_sha256[:16]}",
    ]
    lines += [f"note: {printable(note)}" for note in profile.notes]
    return [Text(line) for line in lines]


def _repeats(profiles: Sequence[FirmwareProfile]) -> list[Text]:
    """Tell the first window from the steady state."""
    if len(profiles) < 2:
        return []
    first, *rest = (profile.cycles for profile in profiles)
    mean = sum(rest) / len(rest)
    return [
        Text(
            f"first window {first:,} cycles, then {len(rest)} of {mean:,.0f} on average "
            f"({min(rest):,} to {max(rest):,}): the first is {first / mean - 1:+.1%}"
        )
    ]
