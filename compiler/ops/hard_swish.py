"""HARD_SWISH: ``x * relu6(x + 3) / 6``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops._unary import FloatFunction
from tinysim.compiler.quantize import quantize_multiplier, rounding_shift_right


@dataclass(frozen=True)
class HardSwish(FloatFunction):
    """``out = x * min(max(x + 3, 0), 6) / 6``, int8 in TFLite's 16-bit fixed point."""

    tflite = "HARD_SWISH"
    kernels = {DType.INT8: ("lookup_s8",), **FloatFunction.kernels}

    def limits(self, x: Tensor, out: Tensor) -> Iterator[str]:
        """Check what the fixed point asks of the scales."""
        if x.dtype is DType.INT8:
            if not x.scale / out.scale < 128:
                yield f"input scale over output scale is {x.scale / out.scale:g}, must be below 128"
            if not x.scale < 2.0**20:
                yield f"input scale {x.scale:g} is too large for the fixed point"

    def quantized(self, q: Array, x: Tensor, out: Tensor) -> Array:
        """Multiply the input, on the output's scale, by how far it is from -3 to 3."""
        fine = np.float32(x.scale) * np.float32(1 / 128)
        raised = (q - x.zero_point) << 7
        multiplier, exponent = _multiplier16(float(fine / np.float32(out.scale)))
        on_output = _high_mul16(raised, multiplier)
        factor, shift = _multiplier16(float(fine / np.float32(3 / 32768)))
        place = _saturated(raised << (shift - 1)) if shift > 0 else raised
        place = _high_mul16(place, factor)
        place = _saturated(place << 1) if shift > 0 else rounding_shift_right(place, -shift)
        product = ((place + (1 << 15)) >> 1) * on_output
        cut = np.where(product < 0, -(-product >> 15), product >> 15)
        y: Array = rounding_shift_right(cut, -exponent) + out.zero_point
        return y

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in single precision, in the reference's order."""
        inside = np.clip(values + np.float32(3), np.float32(0), np.float32(6))
        y: Array = values * inside / np.float32(6)
        return y


def _multiplier16(real: float) -> tuple[int, int]:
    """Split a real multiplier into Q0.15 and a shift."""
    multiplier, shift = quantize_multiplier(real)
    return min((multiplier + (1 << 15)) >> 16, 32767), shift


def _high_mul16(a: Array, b: int) -> Array:
    """Return the rounded high half of ``2 * a * b``, of int16 values."""
    high: Array = (a * b + (1 << 14)) >> 15
    return high


def _saturated(a: Array) -> Array:
    return np.clip(a, -32768, 32767)
