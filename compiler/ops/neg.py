"""NEG on float32: the sign turned."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops._unary import FloatFunction


@dataclass(frozen=True)
class Neg(FloatFunction):
    """``out = -x``."""

    tflite = "NEG"

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in numpy."""
        y: Array = -values
        return y
