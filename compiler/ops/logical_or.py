"""LOGICAL_OR of two tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops._elementwise import Binary, Params


@dataclass(frozen=True)
class LogicalOr(Binary):
    """``out = a or b``."""

    tflite = "LOGICAL_OR"
    kernels = {DType.BOOL: ("logical_bool",)}

    def arithmetic(self, first: Tensor, second: Tensor, out: Tensor, is_reversed: bool) -> Params:
        """Return which of the two it is."""
        return {"is_or": 1}

    def compute(self, a: Array, b: Array, params: Params) -> Array:
        """Compute in numpy."""
        return np.logical_or(a, b)
