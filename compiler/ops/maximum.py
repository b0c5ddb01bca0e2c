"""MAXIMUM: the larger of two elements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType
from tinysim.compiler.ops._elementwise import Params
from tinysim.compiler.ops._extremum import Extremum


@dataclass(frozen=True)
class Maximum(Extremum):
    """``out = a if a > b else b``."""

    tflite = "MAXIMUM"
    kernels = {
        DType.INT8: ("maximum_s8",),
        DType.INT16: ("maximum_s16",),
        DType.FLOAT32: ("maximum_f32",),
        DType.INT32: ("maximum_s32",),
        DType.INT64: ("maximum_s64",),
    }

    def compute(self, a: Array, b: Array, params: Params) -> Array:
        """Choose element by element."""
        return np.where(a > b, a, b)
