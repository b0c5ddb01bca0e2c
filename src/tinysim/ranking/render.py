"""A ranking as rows for the terminal, as Markdown, and as data."""

from __future__ import annotations

import json
from dataclasses import asdict

from tinysim.ranking import Candidate, Ranking
from tinysim.ranking.duty import Band

SCHEMA_VERSION = 1
HEADINGS = (
    *("board", "latency", "energy", "average power", "battery life", "ram", "flash", "grade"),
    *("verdict", "notes"),
)
_LIVES = ((365.25 * 86400, "years"), (86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"))
_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"))


def headings(ranking: Ranking) -> tuple[str, ...]:
    """Return the columns that a ranking has something to say in."""
    duty = ranking.wish.duty
    hidden = {"average power", "battery life"} if duty is None else set()
    hidden |= {"battery life"} if duty is not None and duty.battery_j is None else set()
    return tuple(one for one in HEADINGS if one not in hidden)


def rows(ranking: Ranking) -> list[list[str]]:
    """Return one row a board, the best first."""
    shown = headings(ranking)
    return [[_cells(one)[heading] for heading in shown] for one in ranking.candidates]


def _cells(one: Candidate) -> dict[str, str]:
    life = "unknown" if one.battery_life_s is None else _life(one.battery_life_s)
    return {
        "board": one.board,
        "latency": _band(one.latency_s, "s"),
        "energy": _band(one.energy_j, "J"),
        "average power": "unknown" if one.average_w is None else _one(one.average_w.typical, "W"),
        "battery life": life,
        "ram": "unknown" if one.ram_bytes is None else f"{one.ram_bytes:,} B",
        "flash": "unknown" if one.flash_bytes is None else f"{one.flash_bytes:,} B",
        "grade": one.grade or "-",
        "verdict": one.verdict,
        "notes": "; ".join(
            [*one.reasons, *one.unknowns, *([f"asleep: {one.asleep}"] if one.asleep else [])]
        ),
    }


def _band(band: Band | None, unit: str) -> str:
    """Write a quantity and its bounds, all three with one prefix."""
    if band is None:
        return "unknown"
    factor, prefix = _prefix(band.typical)
    return f"{_three(band, factor)} {prefix}{unit}"


def _one(value: float, unit: str) -> str:
    factor, prefix = _prefix(value)
    return f"{_digits(value / factor)} {prefix}{unit}"


def _prefix(value: float) -> tuple[float, str]:
    return next((one for one in _PREFIXES if value >= one[0]), _PREFIXES[-1])


def _life(band: Band) -> str:
    factor, unit = next((one for one in _LIVES if band.typical >= one[0]), (1.0, "seconds"))
    return f"{_three(band, factor)} {unit}"


def _three(band: Band, factor: float) -> str:
    low, typical, high = (_digits(value / factor) for value in (band.low, band.typical, band.high))
    return f"{typical} ({low}..{high})"


def _digits(value: float) -> str:
    """Write three digits, and all that stand before the point."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def markdown(ranking: Ranking) -> str:
    """Render as a table for a page or a comment."""
    shown = headings(ranking)
    lines = [
        f"Boards for `{_plain(ranking.model_name)}`, by {ranking.wish.sort}\n",
        "| " + " | ".join(shown) + " |",
        "|" + " --- |" * len(shown),
    ]
    lines += ["| " + " | ".join(map(_plain, row)) + " |" for row in rows(ranking)]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Keep text from steering a table."""
    return "".join(char if char.isprintable() and char not in "|`<>" else "?" for char in text)


def as_json(ranking: Ranking) -> str:
    """Render as JSON with a newline at the end; the same ranking gives the same bytes."""
    data = {"schema_version": SCHEMA_VERSION, **asdict(ranking)}
    return json.dumps(data, indent=2) + "\n"
