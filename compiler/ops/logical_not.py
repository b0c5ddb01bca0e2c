"""LOGICAL_NOT of a tensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops._elementwise import Params
from tinysim.compiler.ops._unary import Unary


@dataclass(frozen=True)
class LogicalNot(Unary):
    """``out = not x``."""

    tflite = "LOGICAL_NOT"
    kernels = {DType.BOOL: ("logical_not_bool",)}

    def arithmetic(self, x: Tensor, out: Tensor) -> Params:
        """Return none."""
        return {}

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in numpy."""
        return np.logical_not(values)
