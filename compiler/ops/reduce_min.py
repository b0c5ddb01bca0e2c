"""REDUCE_MIN: the smallest over any axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs
from tinysim.compiler.ops._reduce import Extreme, limits_of


@dataclass(frozen=True)
class ReduceMin(Extreme):
    """``out = min in``; as TFLite has it, what is not a number takes no part."""

    tflite = "REDUCE_MIN"
    kernels = {
        DType.INT8: ("reduce_min_s8",),
        DType.INT16: ("reduce_min_s16",),
        DType.FLOAT32: ("reduce_min_f32",),
    }

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Begin with the highest value that is finite."""
        rows = self.rows(inputs, values)
        first = rows.dtype.type(limits_of(rows.dtype)[1])
        extreme = np.fmin.reduce(rows, axis=0, initial=first)
        return (extreme.reshape(outputs[0].shape),)
