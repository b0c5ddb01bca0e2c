"""The report as rich renderables: what the terminal shows, and text and HTML are made from."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinysim.simulator.profile import LayerProfile, Profile, RegionUse
from tinysim.simulator.tuning import Tuning

BAR_WIDTH = 12
NAME_WIDTH = 26
#: How many of the results that others have published are shown.
BEST_PUBLISHED = 3


def report(profile: Profile, max_layers: int | None = None) -> Group:
    """Return the whole report; ``max_layers`` keeps the slowest ones."""
    return Group(
        _title(profile),
        _layers(profile, max_layers),
        *_totals(profile),
        _memory(profile),
        _verdict(profile),
        *_conditions(profile),
    )


def _title(profile: Profile) -> Text:
    return Text.assemble(
        (printable(profile.model_name), "bold"),
        f" on {profile.board_title} ({profile.core}, {profile.clock_hz / 1e6:g} MHz)",
    )


def _layers(profile: Profile, max_layers: int | None) -> Table:
    """Tabulate layers; the share is of all cycles."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right")
    table.add_column("layer", no_wrap=True)
    for heading in ("op", "kernel", "output"):
        table.add_column(heading, no_wrap=True)
    for heading in ("MACs", "instructions", "cycles", "share"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("cyc/MAC", justify="right", no_wrap=True)
    shown = sorted(profile.layers, key=lambda layer: -layer.counters.cycles)[:max_layers]
    for layer in sorted(shown, key=lambda layer: layer.index):
        table.add_row(*_layer_row(layer, profile.cycles))
    hidden = [layer for layer in profile.layers if layer not in shown]
    if hidden:
        cycles = sum(layer.counters.cycles for layer in hidden)
        instructions = sum(layer.counters.instructions for layer in hidden)
        macs = sum(layer.macs for layer in hidden)
        table.add_row(
            "",
            f"{len(hidden)} faster layers",
            "",
            "",
            "",
            *_cost(macs, instructions, cycles, profile),
        )
    runtime = profile.runtime
    table.add_row(
        "", "between layers", "", "", "", *_cost(0, runtime.instructions, runtime.cycles, profile)
    )
    total = profile.total
    table.add_row(
        *("", "total", "", "", ""),
        *_cost(profile.macs, total.instructions, total.cycles, profile),
        style="bold",
    )
    return table


def _layer_row(layer: LayerProfile, all_cycles: int) -> list[RenderableType]:
    counters = layer.counters
    share = counters.cycles / max(1, all_cycles)
    return [
        str(layer.index),
        Text(short(layer.name)),
        layer.op,
        layer.kernel,
        "x".join(map(str, layer.output_shape)),
        f"{layer.macs:,}" if layer.macs else "-",
        f"{counters.instructions:,}",
        f"{counters.cycles:,}",
        f"{share:.1%}",
        Text("█" * round(share * BAR_WIDTH), style="cyan"),
        f"{counters.cycles / layer.macs:.2f}" if layer.macs else "-",
    ]


def short(name: str) -> str:
    """Shorten a name as converters make them: of what was fused, the end of the first path."""
    tail = "/".join(printable(name).split(";")[0].split("/")[-2:])
    return tail if len(tail) <= NAME_WIDTH else "…" + tail[1 - NAME_WIDTH :]


def printable(name: str) -> str:
    """Keep a name from steering the terminal."""
    return "".join(char if char.isprintable() else "?" for char in name)


def _cost(macs: int, instructions: int, cycles: int, profile: Profile) -> list[str]:
    return [
        f"{macs:,}" if macs else "-",
        f"{instructions:,}",
        f"{cycles:,}",
        f"{cycles / max(1, profile.cycles):.1%}",
        "",
        f"{cycles / macs:.2f}" if macs else "-",
    ]


def _totals(profile: Profile) -> list[Text]:
    """Say cycles, latency and energy, with the band that they are good to."""
    timing = profile.timing
    fastest, slowest = profile.latency_band_s
    lines = [
        Text.assemble(
            "\nlatency   ",
            (f"{si(profile.latency_s, 's')}", "bold"),
            f" = {profile.cycles:,} cycles; expected on the board {si(fastest, 's')} to "
            f"{si(slowest, 's')} (grade {timing.grade}, error {timing.error_low:+.0%} to "
            f"{timing.error_high:+.0%}, fidelity {timing.fidelity})",
        )
    ]
    stalls = ", ".join(
        f"{cause} {cycles / max(1, profile.cycles):.0%}"
        for cause, cycles in sorted(profile.total.stalls.items(), key=lambda item: -item[1])
        if cycles >= profile.cycles / 100
    )
    issue = profile.total.issue_cycles / max(1, profile.cycles)
    lines.append(Text(f"cycles    issue {issue:.0%}{', ' if stalls else ''}{stalls}"))
    for bank, cycles in profile.bank_cycles.items():
        cost = f"{cycles:,} cycles ({cycles / max(1, profile.cycles):.1%})"
        lines.append(Text(f"bank      {bank} costs {cost}; --avoid {bank} leaves it out"))
    if profile.energy is None:
        lines.append(Text("energy    unknown: this board has no measured power"))
    else:
        energy = profile.energy
        lines.append(
            Text(
                f"energy    {si(energy.typical_j, 'J')} ({si(energy.low_j, 'J')} to "
                f"{si(energy.high_j, 'J')}; {energy.mode})"
            )
        )
    return lines + _published(profile)


def _published(profile: Profile) -> list[Text]:
    """Show the best that others have published beside what was simulated."""
    if not profile.published:
        return []
    best = ", ".join(
        f"{si(one.latency_s, 's')} ({one.stack})" for one in profile.published[:BEST_PUBLISHED]
    )
    return [Text(f"published on this board (ours {si(profile.latency_s, 's')}): {best}")]


def _memory(profile: Profile) -> Table:
    """Tabulate regions: how full, and of what."""
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    table.add_column("memory")
    for heading in ("used", "of", "share"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    table.add_column("for", no_wrap=False)
    for region in profile.regions:
        if not region.used_bytes:
            continue
        share = region.used_bytes / max(1, region.usable_bytes)
        color = "red" if region.overflow_bytes else "green"
        table.add_row(
            f"{region.name} ({region.kind})",
            f"{region.used_bytes:,} B",
            f"{region.usable_bytes:,} B",
            f"{share:.1%}",
            Text("█" * min(BAR_WIDTH, max(1, round(share * BAR_WIDTH))), style=color),
            _causes(region),
        )
    return table


def _causes(region: RegionUse) -> str:
    ordered = sorted(region.used.items(), key=lambda item: -item[1])
    return ", ".join(f"{cause} {size:,}" for cause, size in ordered if size)


def _verdict(profile: Profile) -> Text:
    return Text.assemble("\n", (profile.verdict, "bold green" if profile.fits else "bold red"))


def _conditions(profile: Profile) -> list[Text]:
    """Say under what conditions the numbers hold."""
    check = profile.output_check
    status = {
        "exact": f"output checked: equal to the host's ({check.oracle})",
        "close": f"output checked: within {check.max_ulp} ULP of the host's ({check.oracle})",
        "mismatch": f"OUTPUT WRONG: differs from the host's by {check.max_ulp} ({check.oracle})",
    }.get(check.status, "output not checked")
    waits = ", ".join(f"{r.name} {r.wait_states}" for r in profile.regions if r.kind == "flash")
    lines = [
        status,
        f"input/output {profile.io_bytes:,} B (inside the arena); arena planned "
        f"{profile.arena_bytes:,} B, written {profile.arena_written_bytes:,} B, at best "
        f"{profile.arena_lower_bound_bytes:,} B; stack written {profile.stack_written_bytes:,} B",
        f"model {profile.model_sha256[:16]}; {profile.toolchain.version}",
        f"flags {' '.join(profile.toolchain.flags)}; wait states: {waits}",
    ]
    lines += [] if profile.tuning is None else tuning_lines(profile.tuning)
    lines += [f"removed {what}" for what in profile.removed]
    return [Text(line, style="red bold" if "WRONG" in line else "dim") for line in lines]


def tuning_lines(tuning: Tuning) -> list[str]:
    """Say what choosing kernels by simulation has won, and where."""
    if not tuning.layers:
        return [f"tuned in {tuning.trials} trials: nothing is faster than the cost rule's kernels"]
    gain = 1 - tuning.cycles / max(1, tuning.rule_cycles)
    total = f"{tuning.cycles:,} cycles, {tuning.rule_cycles:,} by the cost rule (-{gain:.1%})"
    return [f"tuned in {tuning.trials} trials: {total}"] + [
        f"  layer {layer.index}: {layer.kernel}, {layer.cycles:,} cycles for {layer.rule_cycles:,}"
        for layer in tuning.layers
    ]


def si(value: float, unit: str) -> str:
    """Write a quantity with a prefix that keeps it readable."""
    for factor, prefix in ((1.0, ""), (1e-3, "m"), (1e-6, "u")):
        if value >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value / 1e-9:.3g} n{unit}"


def summary_line(profile: Profile) -> list[RenderableType]:
    """Return one row for a table of boards."""
    return [
        profile.board,
        profile.core,
        f"{profile.clock_hz / 1e6:g} MHz",
        f"{profile.cycles:,}",
        si(profile.latency_s, "s"),
        si(profile.energy.typical_j, "J") if profile.energy else "unknown",
        f"{profile.used_bytes('ram'):,} B",
        f"{profile.used_bytes('flash'):,} B",
        f"{profile.timing.grade} {profile.timing.error_low:+.0%}..{profile.timing.error_high:+.0%}",
        Text(profile.verdict, style="green" if profile.fits else "red"),
    ]
