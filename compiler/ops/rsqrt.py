"""RSQRT of int8 and float32: the reciprocal of the square root."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import wanted_ratio
from tinysim.compiler.ops._unary import FloatFunction
from tinysim.compiler.ops.l2_normalization import inverse_square_root
from tinysim.compiler.quantize import quantize_multiplier, requantize

#: Bits that the root of an integer is raised by.
LEFT_SHIFT = 20


@dataclass(frozen=True)
class Rsqrt(FloatFunction):
    """``out = 1 / sqrt(x)``, the root rounded to single precision first.

    The int8 output is the largest where ``x`` is 0, and below, where TFLM stops.
    """

    tflite = "RSQRT"
    kernels = {DType.INT8: ("lookup_s8",), **FloatFunction.kernels}

    def limits(self, x: Tensor, out: Tensor) -> Iterator[str]:
        """Check the scales."""
        if x.dtype is DType.INT8:
            yield from wanted_ratio(_ratio(x, out), "reciprocal of scales")

    def quantized(self, q: Array, x: Tensor, out: Tensor) -> Array:
        """Take integer roots, then requantize."""
        multiplier, shift = quantize_multiplier(_ratio(x, out))
        found = []
        for value in (q - x.zero_point).tolist():
            root, root_shift = inverse_square_root(value)
            raised = requantize(np.array(1), root, root_shift + LEFT_SHIFT)
            scaled = int(requantize(raised, multiplier, shift - LEFT_SHIFT)) + out.zero_point
            found.append(scaled if value > 0 else 127)
        return np.array(found)

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in numpy."""
        y: Array = np.float32(1) / np.sqrt(values)
        return y


def _ratio(x: Tensor, out: Tensor) -> float:
    """Return ``1 / (sqrt(scale) * scale)``, the product in single precision as TFLM has it."""
    product = float(np.sqrt(np.float32(x.scale)) * np.float32(out.scale))
    return 1.0 / product if product > 0.0 else float("inf")
