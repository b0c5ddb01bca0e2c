"""How a device lives: it wakes, infers, and sleeps until the next period, on a battery."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.budget.units import read_unit
from tinysim.simulator.profile import Energy

_SECONDS_AN_HOUR = 3600


@dataclass(frozen=True)
class Band:
    """A quantity that is known to lie between two bounds."""

    low: float
    typical: float
    high: float


@dataclass(frozen=True)
class Duty:
    """One inference a period, from a battery; ``sleep_w`` overrides what board files say."""

    period_s: float
    battery_j: float | None = None
    sleep_w: float | None = None


def average_w(duty: Duty, latency_s: float, energy: Energy, sleep_w: float) -> Band:
    """Return watts over a period of which the inference takes ``latency_s``."""
    asleep_j = sleep_w * max(0.0, duty.period_s - latency_s)
    awake_j = (energy.low_j, energy.typical_j, energy.high_j)
    return Band(*((joules + asleep_j) / duty.period_s for joules in awake_j))


def battery_life_s(battery_j: float, average_w: Band) -> Band:
    """Return how many seconds a battery lasts."""
    watts = (average_w.high, average_w.typical, average_w.low)
    return Band(*(battery_j / one for one in watts))


def joules(text: str) -> float:
    """Read a battery's energy: ``2.4 kJ``, ``0.66 Wh`` or ``220 mAh@3 V``.

    Raises
    ------
    ValueError
        If it is nothing of these, or not positive.
    """
    charge, at, voltage = text.partition("@")
    if at:
        return _positive(charge, "Ah") * _SECONDS_AN_HOUR * _positive(voltage, "V")
    if text.strip().endswith("h"):
        return _positive(text, "Wh") * _SECONDS_AN_HOUR
    return _positive(text, "J")


def watts(text: str) -> float:
    """Read a power: ``5 uW`` or ``2 uA@3 V``.

    Raises
    ------
    ValueError
        If it is neither of these, or not positive.
    """
    current, at, voltage = text.partition("@")
    return _positive(current, "A") * _positive(voltage, "V") if at else _positive(text, "W")


def _positive(text: str, unit: str) -> float:
    """Read a quantity that is more than nothing."""
    value = read_unit(text, unit)
    if value == 0:
        raise ValueError(f"{text!r} is nothing")
    return value
