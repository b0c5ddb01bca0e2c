"""LESS_EQUAL of two tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.ops._comparison import Comparison


@dataclass(frozen=True)
class LessEqual(Comparison):
    """``out = a <= b``."""

    tflite = "LESS_EQUAL"
    related = np.less_equal
