"""ABS of int8, int16 and float32."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import wanted_ratio
from tinysim.compiler.ops._elementwise import QUANTIZED, Params, multiplier_params
from tinysim.compiler.ops._unary import FloatFunction
from tinysim.compiler.quantize import quantize_multiplier, requantize


@dataclass(frozen=True)
class Abs(FloatFunction):
    """``out = |x|``."""

    tflite = "ABS"
    kernels = {DType.INT8: ("lookup_s8",), DType.INT16: ("abs_s16",), **FloatFunction.kernels}

    def limits(self, x: Tensor, out: Tensor) -> Iterator[str]:
        """Check the ratio of scales."""
        if x.dtype in QUANTIZED:
            yield from wanted_ratio(x.scale / out.scale, "input scale over output scale")

    def quantized(self, q: Array, x: Tensor, out: Tensor) -> Array:
        """Requantize the magnitude; equal scales change nothing."""
        magnitude = requantize(np.abs(q - x.zero_point), *quantize_multiplier(x.scale / out.scale))
        moved: Array = magnitude + out.zero_point
        return moved

    def arithmetic(self, x: Tensor, out: Tensor) -> Params:
        """Return the multiplier of int16, the function of floats."""
        if x.dtype is DType.INT16:
            return multiplier_params("output", x.scale / out.scale)
        return super().arithmetic(x, out)

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Take the sign off."""
        if x.dtype is DType.INT16:
            found: Array = np.minimum(self.quantized(values.astype(np.int64), x, out), 2**15 - 1)
            return np.maximum(found, -(2**15))
        return np.abs(values)
