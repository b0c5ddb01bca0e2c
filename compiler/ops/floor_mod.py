"""FLOOR_MOD of two tensors of float32: the remainder of the quotient rounded down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType
from tinysim.compiler.ops._elementwise import Params
from tinysim.compiler.ops._ordered import Ordered


@dataclass(frozen=True)
class FloorMod(Ordered):
    """``out = a - b * floor(a / b)``: of the sign of ``b``, by a remainder that is exact."""

    tflite = "FLOOR_MOD"
    kernels = {DType.FLOAT32: ("floor_mod_f32",)}

    def compute(self, a: Array, b: Array, params: Params) -> Array:
        """Bring the remainder to the sign of the divisor."""
        rest: Array = np.fmod(a, b)
        return np.where((rest != 0) & ((b < 0) != (rest < 0)), rest + b, rest)
