"""Axes of charts: numbers as pixels, with round numbers to read them by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """Numbers from ``low`` to ``high`` as pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool

    @staticmethod
    def over(
        values: Sequence[float], is_log: bool, start: float, end: float, from_zero: bool
    ) -> Axis:
        """Return an axis for values, with round numbers at its ends."""
        low, high = min(values), max(values)
        if is_log:
            if low <= 0:
                raise ValueError(f"{low} has no place on a logarithmic axis")
            first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
            return Axis(10.0**first, 10.0 ** max(last, first + 1), start, end, True)
        low = min(0.0, low) if from_zero else low
        step = _step(high - low or abs(high) or 1.0)
        low, high = math.floor(low / step) * step, math.ceil(high / step) * step
        return Axis(low, high if high > low else low + step, start, end, False)

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high = self.low, self.high
        if self.is_log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        share = (value - low) / (high - low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Return round numbers from end to end."""
        if self.is_log:
            first, last = round(math.log10(self.low)), round(math.log10(self.high))
            return [10.0**i for i in range(first, last + 1)]
        step = _step(self.high - self.low)
        return [self.low + i * step for i in range(round((self.high - self.low) / step) + 1)]


def _step(span: float) -> float:
    """Return 1, 2 or 5 times a power of ten that parts a span about in five."""
    power: float = 10.0 ** math.floor(math.log10(span / 5))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= span / 5)
