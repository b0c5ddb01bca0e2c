"""LOGISTIC: ``1 / (1 + exp(-x))``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType
from tinysim.compiler.ops import _fixed_point
from tinysim.compiler.ops._sigmoid import Sigmoid, looked_up

#: Beyond these floats one is the answer, or the exponential alone, as TFLite has it.
CUTOFF_UPPER = np.float32(16.619047164916992188)
CUTOFF_LOWER = np.float32(-9)


@dataclass(frozen=True)
class Logistic(Sigmoid):
    """``out = 1 / (1 + exp(-x))``; int8 has scale 1/256 and zero point -128."""

    tflite = "LOGISTIC"
    kernels = {
        DType.INT8: ("lookup_s8",),
        DType.INT16: ("logistic_s16",),
        DType.FLOAT32: ("unary_f32",),
    }
    quant = (1 / 256, -128)
    dropped_bits = 23
    int16_shifts = (0,)

    def fixed_point(self, a: Array) -> Array:
        """Return the function in Q0.31."""
        return _fixed_point.logistic(a)

    def interpolated(self, magnitude: Array, is_positive: Array) -> Array:
        """Return one minus the function for what is below zero."""
        y = np.where(magnitude >> 9 >= 255, 0x7FFF << 10, looked_up(magnitude, 9))
        half = 1 << 9
        return np.where(is_positive, y + half, (1 << 25) - y + half - 1) >> 10

    def floats(self, values: Array) -> Array:
        """Divide in single precision; the exponential is rounded once from double."""
        x = values.astype(np.float64)
        usual = np.float32(1) / (np.float32(1) + np.exp(-x).astype(np.float32))
        low = np.exp(x).astype(np.float32)
        ends = np.where(values > CUTOFF_UPPER, np.float32(1), usual)
        return np.where(values < CUTOFF_LOWER, low, ends)
