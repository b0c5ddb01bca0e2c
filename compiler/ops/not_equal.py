"""NOT_EQUAL of two tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import DType
from tinysim.compiler.ops._comparison import Comparison


@dataclass(frozen=True)
class NotEqual(Comparison):
    """``out = a != b``."""

    tflite = "NOT_EQUAL"
    kernels = {**Comparison.kernels, DType.BOOL: ("compare_bool",)}
    related = np.not_equal
