"""SQUARE on float32: the product with itself."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops._unary import FloatFunction


@dataclass(frozen=True)
class Square(FloatFunction):
    """``out = x * x``."""

    tflite = "SQUARE"

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in numpy."""
        y: Array = values * values
        return y
