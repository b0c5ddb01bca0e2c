"""What RELU and its kin share: a range, and the scale of the output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import wanted_ratio
from tinysim.compiler.ops._elementwise import Params, integer_range
from tinysim.compiler.ops._unary import Unary
from tinysim.compiler.quantize import quantize_multiplier, requantize


@dataclass(frozen=True)
class Rectifier(Unary):
    """``out = clamp(x, low, high)``, requantized to the output's scale.

    TFLM's RELU6 leaves out the requantization: the two agree where the scales are equal.
    """

    kernels = {DType.INT8: ("lookup_s8",), DType.INT16: ("relu_s16",), DType.FLOAT32: ("relu_f32",)}
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = float("inf")

    def limits(self, x: Tensor, out: Tensor) -> Iterator[str]:
        """Check the ratio of scales."""
        if x.dtype is not DType.FLOAT32:
            yield from wanted_ratio(x.scale / out.scale, "input scale over output scale")

    def quantized(self, q: Array, x: Tensor, out: Tensor) -> Array:
        """Requantize and clamp."""
        y = requantize(q - x.zero_point, *quantize_multiplier(x.scale / out.scale))
        clamped: Array = np.clip(y + out.zero_point, *integer_range(self.tflite, out))
        return clamped

    def arithmetic(self, x: Tensor, out: Tensor) -> Params:
        """Return the range, and the multiplier of int16."""
        if x.dtype is DType.FLOAT32:
            return {"low": self.low, "high": self.high}
        multiplier, shift = quantize_multiplier(x.scale / out.scale)
        least, most = integer_range(self.tflite, out)
        return {
            "multiplier": multiplier,
            "shift": shift,
            "activation_min": least,
            "activation_max": most,
        }

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Clamp; NaN stays."""
        if x.dtype is not DType.FLOAT32:
            return self.quantized(values.astype(np.int64), x, out)
        above = np.where(values < np.float32(self.low), np.float32(self.low), values)
        return np.where(above > np.float32(self.high), np.float32(self.high), above)
