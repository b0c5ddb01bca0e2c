"""TANH: the hyperbolic tangent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType
from tinysim.compiler.ops import _fixed_point
from tinysim.compiler.ops._sigmoid import Sigmoid, looked_up


@dataclass(frozen=True)
class Tanh(Sigmoid):
    """``out = tanh(x)``; int8 has scale 1/128 and zero point 0."""

    tflite = "TANH"
    kernels = {
        DType.INT8: ("lookup_s8",),
        DType.INT16: ("tanh_s16",),
        DType.FLOAT32: ("unary_f32",),
    }
    quant = (1 / 128, 0)
    dropped_bits = 24
    int16_shifts = (0, 1)

    def fixed_point(self, a: Array) -> Array:
        """Return the function in Q0.31."""
        return _fixed_point.tanh(a)

    def interpolated(self, magnitude: Array, is_positive: Array) -> Array:
        """Return ``2 * sigmoid(2 x) - 1``, negated for what is below zero."""
        y = np.where(magnitude >> 8 >= 255, 0xFFFF << 8, looked_up(magnitude, 8))
        half = 1 << 7
        return np.where(is_positive, y - (1 << 23) + half, (1 << 23) - y + half - 1) >> 8

    def floats(self, values: Array) -> Array:
        """Round once from double."""
        return np.tanh(values.astype(np.float64))
