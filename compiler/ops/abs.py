"""ABS of int8 and float32."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import wanted_ratio
from tinysim.compiler.ops._unary import FloatFunction
from tinysim.compiler.quantize import quantize_multiplier, requantize


@dataclass(frozen=True)
class Abs(FloatFunction):
    """``out = |x|``."""

    tflite = "ABS"
    kernels = {DType.INT8: ("lookup_s8",), **FloatFunction.kernels}

    def limits(self, x: Tensor, out: Tensor) -> Iterator[str]:
        """Check the ratio of scales."""
        if x.dtype is DType.INT8:
            yield from wanted_ratio(x.scale / out.scale, "input scale over output scale")

    def quantized(self, q: Array, x: Tensor, out: Tensor) -> Array:
        """Requantize the magnitude, unless the scales are equal."""
        magnitude = np.abs(q - x.zero_point)
        if x.scale != out.scale:
            magnitude = requantize(magnitude, *quantize_multiplier(x.scale / out.scale))
        moved: Array = magnitude + out.zero_point
        return moved

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Take the sign off."""
        return np.abs(values)
