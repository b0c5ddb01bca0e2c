"""AVERAGE_POOL_2D: the mean of a window, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs
from tinysim.compiler.ops._pool import Pool


@dataclass(frozen=True)
class AveragePool2D(Pool):
    """``out = clamp(round(sum / count))``; padding is not counted, halves go away from zero."""

    tflite = "AVERAGE_POOL_2D"
    kernels = {DType.INT8: ("average_pool_2d_s8",)}
    kernel: ClassVar[str] = "average_pool_2d_s8"

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Divide sums by how many of the window's positions lie inside."""
        x = values[0]
        assert x is not None
        total = self.window.patches(x.astype(np.int32), 0).sum(axis=(3, 4), dtype=np.int32)
        inside = self.window.patches(np.ones_like(x, np.int32), 0).sum(axis=(3, 4), dtype=np.int32)
        away = np.where(total > 0, inside // 2, -(inside // 2))
        mean = np.trunc((total + away) / inside).astype(np.int32)
        return (np.clip(mean, *self.bounds(outputs[0])).astype(np.int8),)
