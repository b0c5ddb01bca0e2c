"""ELU: an exponential for what is negative."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops._unary import FloatFunction


@dataclass(frozen=True)
class Elu(FloatFunction):
    """``out = x if x >= 0 else exp(x) - 1``."""

    tflite = "ELU"
    kernels = {DType.INT8: ("lookup_s8",), **FloatFunction.kernels}

    def limits(self, x: Tensor, out: Tensor) -> Iterator[str]:
        """Check that the reciprocal of the output's scale is a float."""
        if x.dtype is DType.INT8 and out.scale < 2.0**-100:
            yield f"output scale {out.scale:g} is too small"

    def quantized(self, q: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in single precision and round half away, as TFLite fills its table."""
        one = np.float32(1)
        real = np.float32(x.scale) * (q - x.zero_point).astype(np.float32)
        power = np.exp(real.astype(np.float64)).astype(np.float32)
        steps = np.where(real < 0, power - one, real) * (one / np.float32(out.scale))
        rounded = np.trunc(steps.astype(np.float64) + np.copysign(0.5, steps))
        clamped: Array = np.clip(rounded + out.zero_point, -128, 127)
        return clamped

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Round once from double."""
        return np.where(values < 0, np.expm1(values.astype(np.float64)), values)
