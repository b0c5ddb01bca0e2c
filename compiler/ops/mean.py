"""MEAN: the average over any axes."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.compiler.ops._reduce import Total


@dataclass(frozen=True)
class Mean(Total):
    """``out = sum / reduced``; for integers ``requantize`` with the division in the multiplier."""

    tflite = "MEAN"

    def divisor(self, reduced: int) -> int:
        """Divide by the number of elements."""
        return reduced
