"""MAX_POOL_2D: the largest of a window, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs
from tinysim.compiler.ops._pool import Pool


@dataclass(frozen=True)
class MaxPool2D(Pool):
    """``out = clamp(max of the window)``; padding does not take part."""

    tflite = "MAX_POOL_2D"
    kernels = {
        DType.INT8: ("max_pool_2d_s8",),
        DType.INT16: ("max_pool_2d_s16",),
        DType.FLOAT32: ("max_pool_2d_f32",),
    }

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Pad with the smallest value and take maxima; what is not a number counts as smallest."""
        x = values[0]
        assert x is not None
        limits = np.finfo(np.float32) if x.dtype == np.float32 else np.iinfo(x.dtype)
        top = np.fmax.reduce(self.window.patches(x, int(limits.min)), axis=(3, 4))
        low, high = self.bounds(outputs[0])
        return (np.clip(np.fmax(top, limits.min), low, high).astype(x.dtype),)
