"""CSV (RFC 4180): a row a layer, one for what lies between them, one for the total.

The column ``row`` says which. A text that a spreadsheet would take for a formula begins with an
apostrophe.
"""

from __future__ import annotations

import csv
import io

from tinysim.report._table import printable
from tinysim.simulator.profile import STALLS, Counters, Profile

Cell = str | int | float | None

COLUMNS = (
    *("row", "index", "name", "op", "kernel", "output_shape", "macs", "instructions", "cycles"),
    *("share", "latency_s", "energy_j", "issue_cycles"),
    *(f"stall_{cause}_cycles" for cause in STALLS),
)

FORMULA = ("=", "+", "-", "@")


def render(profile: Profile) -> str:
    """Render with a header; lines end in CR LF."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for layer in profile.layers:
        shape = "x".join(map(str, layer.output_shape))
        about = (layer.index, *map(harmless, (layer.name, layer.op, layer.kernel, shape)))
        writer.writerow(("layer", *about, layer.macs, *_costs(profile, layer.counters)))
    nothing = (None,) * 5
    writer.writerow(("runtime", *nothing, 0, *_costs(profile, profile.runtime)))
    writer.writerow(("total", *nothing, profile.macs, *_costs(profile, profile.total)))
    return stream.getvalue()


def _costs(profile: Profile, counters: Counters) -> tuple[Cell, ...]:
    cycles = counters.cycles
    return (
        counters.instructions,
        cycles,
        cycles / max(1, profile.cycles),
        cycles / profile.clock_hz,
        profile.energy_j(cycles),
        counters.issue_cycles,
        *(counters.stalls.get(cause, 0) for cause in STALLS),
    )


def harmless(text: str) -> str:
    """Keep a spreadsheet from computing a text; what cannot be shown goes."""
    return f"'{printable(text)}" if text.startswith(FORMULA) else printable(text)
