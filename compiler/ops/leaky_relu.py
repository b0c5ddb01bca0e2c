"""LEAKY_RELU: a slope for what is negative."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Options, wanted_ratio
from tinysim.compiler.ops._elementwise import Params
from tinysim.compiler.ops._unary import Unary
from tinysim.compiler.quantize import quantize_multiplier, requantize


@dataclass(frozen=True)
class LeakyRelu(Unary):
    """``out = x if x > 0 else alpha * x``."""

    tflite = "LEAKY_RELU"
    kernels = {
        DType.INT8: ("lookup_s8",),
        DType.INT16: ("leaky_relu_s16",),
        DType.FLOAT32: ("leaky_relu_f32",),
    }

    alpha: float

    @classmethod
    def from_tflite(cls, options: Options) -> LeakyRelu:
        """Take alpha."""
        return cls(float(options["Alpha"]))

    def limits(self, x: Tensor, out: Tensor) -> Iterator[str]:
        """Check alpha and the ratios of scales."""
        if not math.isfinite(self.alpha):
            yield f"alpha is {self.alpha}"
        elif x.dtype is not DType.FLOAT32:
            for ratio in self._ratios(x, out):
                yield from wanted_ratio(
                    abs(ratio), "input scale, with and without alpha, over output's"
                )

    def _ratios(self, x: Tensor, out: Tensor) -> tuple[float, float]:
        """Return the multipliers without and with alpha, in double as TFLM is compiled."""
        return x.scale / out.scale, x.scale * self.alpha / out.scale

    def quantized(self, q: Array, x: Tensor, out: Tensor) -> Array:
        """Requantize by one of two multipliers; a negative slope turns the result."""
        centred = q - x.zero_point
        identity, slope = self._ratios(x, out)
        above = requantize(centred, *quantize_multiplier(identity))
        below = requantize(centred, *quantize_multiplier(abs(slope)))
        turned = -below if slope < 0 else below
        return np.where(centred >= 0, above, turned) + out.zero_point

    def arithmetic(self, x: Tensor, out: Tensor) -> Params:
        """Return alpha, or the two multipliers of int16."""
        if x.dtype is DType.FLOAT32:
            return {"alpha": float(np.float32(self.alpha))}
        identity, slope = self._ratios(x, out)
        (multiplier, shift), of_alpha = (
            quantize_multiplier(identity),
            quantize_multiplier(abs(slope)),
        )
        return {
            "multiplier": multiplier,
            "shift": shift,
            "alpha_multiplier": of_alpha[0],
            "alpha_shift": of_alpha[1],
            "is_alpha_negative": int(slope < 0),
        }

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in single precision, or int16."""
        if x.dtype is DType.FLOAT32:
            return np.where(values > 0, values, values * np.float32(self.alpha))
        return np.clip(self.quantized(values.astype(np.int64), x, out), -32768, 32767)
