"""ARG_MAX: where the largest stands along an axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType
from tinysim.compiler.ops._arg import ArgExtreme


@dataclass(frozen=True)
class ArgMax(ArgExtreme):
    """Index of the largest, the first of equals."""

    tflite = "ARG_MAX"
    kernels = {DType.INT8: ("arg_max_s8",), DType.FLOAT32: ("arg_max_f32",)}

    def compare(self, candidate: Array, best: Array) -> Array:
        """Tell where a candidate is greater than the best so far."""
        is_better: Array = np.greater(candidate, best)
        return is_better
