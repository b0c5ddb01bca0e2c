"""Quantities of budgets and batteries: read with their units, and written the same way everywhere.

``read("64 KiB", "ram")`` is 65536.0, ``write(0.0072, "s")`` is ``7.2 ms``. What cannot be meant is
refused, never guessed: a time without a unit, ``KB`` (1000 or 1024?), a share of 97.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, DecimalException

from tinysim.budget import METRICS

_NUMBER = re.compile(
    r"(\d(?:_?\d)*(?:\.\d(?:_?\d)*)?(?:[eE][+-]?\d{1,9})?)\s*([^\d.,_]*)", re.ASCII
)
_TWO_TO_THE_64 = 2**64


@dataclass(frozen=True)
class _Family:
    """The units of one kind of quantity, each as a multiple of what it is kept in."""

    factors: dict[str, Decimal]
    example: str


_METRIC_PREFIXES = {"": "1", "m": "1e-3", "u": "1e-6", "µ": "1e-6", "μ": "1e-6", "n": "1e-9"}


def _small(unit: str) -> dict[str, Decimal]:
    return {prefix + unit: Decimal(factor) for prefix, factor in _METRIC_PREFIXES.items()}


def _electric(unit: str) -> dict[str, Decimal]:
    return {**_small(unit), f"k{unit}": Decimal(1000)}


_COUNTS = {"": "1", "k": "1e3", "M": "1e6", "G": "1e9"}
_BYTES = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_BYTES |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}

#: Unit that a metric is kept in -> how it may be written.
FAMILIES = {
    "s": _Family(_small("s"), "50 ms (s, ms, us, ns)"),
    "J": _Family(_electric("J"), "1.2 mJ (kJ, J, mJ, uJ, nJ)"),
    "cycles": _Family(
        {
            f"{prefix}{word}": Decimal(factor)
            for prefix, factor in _COUNTS.items()
            for word in ("", " cycles", "cycles")
        },
        "2 M, 2e6 or 2_000_000 (k, M, G; `cycles` may follow)",
    ),
    "B": _Family(
        {unit: Decimal(factor) for unit, factor in _BYTES.items()},
        "64 KiB (B, kB, MB, GB by 1000; KiB, MiB, GiB by 1024)",
    ),
    "share": _Family({"": Decimal(1), "%": Decimal("0.01")}, "97 % or 0.97"),
}
#: The same of what no metric is kept in.
OTHER_FAMILIES = {
    unit: _Family(_electric(unit), f"{example} (k{unit}, {unit}, m{unit}, u{unit}, n{unit})")
    for unit, example in {
        "Wh": "0.66 Wh",
        "Ah": "220 mAh",
        "V": "3 V",
        "W": "80 mW",
        "A": "2 uA",
    }.items()
} | {
    "count": _Family(
        {prefix: Decimal(factor) for prefix, factor in _COUNTS.items()},
        "2 M, 2e6 or 2_000_000 (k, M, G)",
    )
}


def read(written: object, metric: str) -> float:
    """Read a quantity of one of ``METRICS`` into its unit.

    Raises
    ------
    ValueError
        Saying what is wrong and what is allowed.
    """
    return read_unit(written, METRICS[metric], bounded=metric in ("accuracy", "headroom"))


def read_unit(written: object, unit: str, *, bounded: bool = False) -> float:
    """Read a quantity that is kept in ``unit``; one that is ``bounded`` is no more than one."""
    family = OTHER_FAMILIES.get(unit) or FAMILIES[unit]
    text = _text(written)
    match = _NUMBER.fullmatch(text)
    if match is None:
        is_negative = text.startswith("-") and _NUMBER.fullmatch(text[1:])
        what = "is negative" if is_negative else "is no number with a unit"
        raise ValueError(_refusal(written, what, family))
    number, suffix = match.groups()
    if suffix.strip() not in family.factors:
        what = f"has the unit {suffix.strip()}" if suffix.strip() else "has no unit"
        raise ValueError(_refusal(written, what, family))
    try:
        value = float(Decimal(number) * family.factors[suffix.strip()])
    except DecimalException:
        value = float("inf")
    if value >= _TWO_TO_THE_64:
        raise ValueError(_refusal(written, "is too large", family))
    if value > 1 and (bounded or (unit == "share" and not suffix)):
        raise ValueError(_refusal(written, "is more than 100 %", family))
    return value


def is_share(written: object) -> bool:
    """Whether a quantity is written as a share."""
    return isinstance(written, str) and written.strip().endswith("%")


def write(value: float, unit: str) -> str:
    """Write a quantity: bytes and cycles to the last one, the rest with four digits."""
    if unit in ("B", "cycles"):
        return f"{round(value):,} {unit}"
    if unit == "share":
        return f"{value * 100:.4g} %"
    size = abs(float(f"{value:.4g}"))
    if size >= 1000:
        return f"{value:,.0f} {unit}"
    for factor, prefix in ((1.0, ""), (1e-3, "m"), (1e-6, "u")):
        if size >= factor or size == 0:
            return f"{value / factor:.4g} {prefix}{unit}"
    return f"{value / 1e-9:.4g} n{unit}"


def write_band(value: float, low: float, high: float, unit: str) -> str:
    """Write a quantity with its band, if it has one: ``16 (14.3 to 18.6) ms``."""
    texts = [write(one, unit) for one in (value, low, high)]
    if low == high:
        return texts[0]
    numbers, units = zip(*(text.rsplit(" ", 1) for text in texts), strict=True)
    if len(set(units)) > 1:
        return f"{texts[0]} ({texts[1]} to {texts[2]})"
    return f"{numbers[0]} ({numbers[1]} to {numbers[2]}) {units[0]}"


def _text(written: object) -> str:
    """Return what was written, as text; what is no quantity as text that is none."""
    if isinstance(written, bool):
        return ""
    if isinstance(written, int):
        return str(max(-1, min(written, _TWO_TO_THE_64)))
    if isinstance(written, float):
        return repr(written)
    return written.strip() if isinstance(written, str) else ""


def _refusal(written: object, what: str, family: _Family) -> str:
    shown = "a huge number" if isinstance(written, int) and written.bit_length() > 64 else ""
    shown = shown or (str(written).lower() if isinstance(written, bool) else repr(written))
    shown = shown if len(shown) <= 40 else shown[:39] + "…"
    return f"{shown} {what}; write it like {family.example}"
