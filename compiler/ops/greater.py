"""GREATER of two tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.ops._comparison import Comparison


@dataclass(frozen=True)
class Greater(Comparison):
    """``out = a > b``."""

    tflite = "GREATER"
    related = np.greater
