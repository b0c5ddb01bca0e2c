"""GELU of int8 and float32: an input times the normal distribution up to it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Options
from tinysim.compiler.ops._elementwise import Params
from tinysim.compiler.ops._unary import FUNCTIONS, FloatFunction


@dataclass(frozen=True)
class Gelu(FloatFunction):
    """``out = x / 2 * erfc(-x / sqrt(2))``, or what comes near it by a hyperbolic tangent."""

    tflite = "GELU"
    kernels = {DType.INT8: ("lookup_s8",), **FloatFunction.kernels}

    approximate: bool = False

    @classmethod
    def from_tflite(cls, options: Options) -> Gelu:
        """Take which of the two formulas it is."""
        return cls(bool(options["Approximate"]))

    def quantized(self, q: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in single precision, as TFLite fills its table; halves away from zero."""
        reals = np.float32(x.scale) * (q - x.zero_point).astype(np.float32)
        steps = self.compute(reals, x, out) * (np.float32(1) / np.float32(out.scale))
        rounded = np.copysign(np.floor(np.abs(steps) + np.float32(0.5)), steps)
        found: Array = np.clip(rounded, -1024, 1024).astype(np.int64) + out.zero_point
        return found

    def arithmetic(self, x: Tensor, out: Tensor) -> Params:
        """Return the function's number."""
        return {"function": FUNCTIONS.index("GELU_TANH" if self.approximate else "GELU")}

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Round once from double."""
        d = values.astype(np.float64)
        if self.approximate:
            half = 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (d + 0.044715 * d**3)))
        else:
            tails = [math.erfc(-value * math.sqrt(0.5)) for value in d.ravel().tolist()]
            half = 0.5 * np.array(tails).reshape(d.shape)
        product: Array = (d * half).astype(np.float32)
        return product
