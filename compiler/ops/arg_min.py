"""ARG_MIN: where the smallest stands along an axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType
from tinysim.compiler.ops._arg import ArgExtreme


@dataclass(frozen=True)
class ArgMin(ArgExtreme):
    """Index of the smallest, the first of equals."""

    tflite = "ARG_MIN"
    kernels = {DType.INT8: ("arg_min_s8",), DType.FLOAT32: ("arg_min_f32",)}

    def compare(self, candidate: Array, best: Array) -> Array:
        """Tell where a candidate is less than the best so far."""
        is_better: Array = np.less(candidate, best)
        return is_better
