"""MAX_POOL_2D: the largest of a window, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs
from tinysim.compiler.ops._pool import Pool


@dataclass(frozen=True)
class MaxPool2D(Pool):
    """``out = clamp(max of the window)``; padding does not take part."""

    tflite = "MAX_POOL_2D"
    kernels = {DType.INT8: ("max_pool_2d_s8",)}
    kernel: ClassVar[str] = "max_pool_2d_s8"

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Pad with the smallest value and take maxima."""
        x = values[0]
        assert x is not None
        top = self.window.patches(x, -128).max(axis=(3, 4))
        return (np.clip(top, *self.bounds(outputs[0])).astype(np.int8),)
