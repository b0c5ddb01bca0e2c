"""FLOOR_DIV of two tensors of float32: the quotient, rounded down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType
from tinysim.compiler.ops._elementwise import Params
from tinysim.compiler.ops._ordered import Ordered


@dataclass(frozen=True)
class FloorDiv(Ordered):
    """``out = floor(a / b)``, divided in double; by 0 it is an infinity, where TFLM stops."""

    tflite = "FLOOR_DIV"
    kernels = {DType.FLOAT32: ("floor_div_f32",)}

    def compute(self, a: Array, b: Array, params: Params) -> Array:
        """Divide in double."""
        with np.errstate(over="ignore"):
            return np.floor(a.astype(np.float64) / b.astype(np.float64)).astype(np.float32)
