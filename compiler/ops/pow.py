"""POW of two tensors of float32: a power."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType
from tinysim.compiler.ops._elementwise import Params
from tinysim.compiler.ops._ordered import Ordered


@dataclass(frozen=True)
class Pow(Ordered):
    """``out = a ** b`` as IEEE 754 has it: NaN for a negative base with a fraction above it."""

    tflite = "POW"
    kernels = {DType.FLOAT32: ("pow_f32",)}

    def compute(self, a: Array, b: Array, params: Params) -> Array:
        """Compute in double."""
        return np.power(a.astype(np.float64), b.astype(np.float64)).astype(np.float32)
