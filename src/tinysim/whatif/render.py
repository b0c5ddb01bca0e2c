"""What if, as rows with bars for the terminal, and as data."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

from tinysim.whatif import Outcome, WhatIf, effect

SCHEMA_VERSION = 1
HEADINGS = ("", "what", "faster", "slower", "latency", "", "energy", "ram", "flash", "fits")
BAR_WIDTH = 12
_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"))


def rows(found: WhatIf) -> list[list[str]]:
    """Return today's row and one an outcome; bars grow with the logarithm of the ratio."""
    return [_row(one, found) for one in (found.today, *found.outcomes)]


def _row(one: Outcome, found: WhatIf) -> list[str]:
    ratio = one.latency_s / found.today.latency_s
    bar = "█" * math.ceil(share(one, found) * BAR_WIDTH)
    return [
        one.group if one is not found.today else "",
        one.what,
        bar if ratio < 1 else "",
        bar if ratio > 1 else "",
        si(one.latency_s, "s"),
        "" if one is found.today else times(ratio),
        "unknown" if one.energy_j is None else si(one.energy_j, "J"),
        f"{one.ram_bytes:,} B",
        f"{one.flash_bytes:,} B",
        "yes" if one.fits else "no",
    ]


def share(one: Outcome, found: WhatIf) -> float:
    """Return the length of an outcome's bar, of the longest: logarithms of ratios."""
    most = max((effect(other, found.today) for other in found.outcomes), default=1.0)
    return math.log(effect(one, found.today)) / math.log(most) if most > 1 else 0.0


def times(ratio: float) -> str:
    """Write a ratio: by per cent while it is near one, then as a factor."""
    return f"{ratio - 1:+.1%}" if 0.5 < ratio < 2 else f"x{ratio:.3g}"


def si(value: float, unit: str) -> str:
    """Write a quantity with a prefix that keeps it readable."""
    factor, prefix = next((one for one in _PREFIXES if value >= one[0]), _PREFIXES[-1])
    return f"{value / factor:.3g} {prefix}{unit}"


def remarks(found: WhatIf) -> list[str]:
    """Return what stands below the table."""
    lines = [f"no difference: {', '.join(found.alike)}"] if found.alike else []
    work = f"{found.compilations} compilations, {found.simulations} simulations"
    return [*lines, *found.notes, work]


def as_json(found: WhatIf) -> str:
    """Render as JSON with a newline at the end; the same findings give the same bytes."""
    return json.dumps({"schema_version": SCHEMA_VERSION, **asdict(found)}, indent=2) + "\n"
