"""AVERAGE_POOL_2D: the mean of a window, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs
from tinysim.compiler.ops._pool import Pool


@dataclass(frozen=True)
class AveragePool2D(Pool):
    """``out = clamp(round(sum / count))``; integers round halves away from zero.

    ``counts_padding`` makes ``count`` the whole window and the padding zeros (the zero point);
    else only what lies inside the input takes part.
    """

    tflite = "AVERAGE_POOL_2D"
    kernels = {
        DType.INT8: ("average_pool_2d_s8",),
        DType.INT16: ("average_pool_2d_s16",),
        DType.FLOAT32: ("average_pool_2d_f32",),
    }

    counts_padding: bool = False

    def own_params(self, out: Tensor) -> dict[str, int | float]:
        """Return what sums are divided by if it is fixed, and what padding adds to them."""
        count = self.filter_h * self.filter_w if self.counts_padding else 0
        if out.dtype is DType.FLOAT32:
            return {"count": count}
        return {"count": count, "padding_value": out.zero_point if self.counts_padding else 0}

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Divide sums by how many of the window's positions take part."""
        x = values[0]
        assert x is not None
        is_float = x.dtype == np.float32
        fill = 0 if is_float or not self.counts_padding else outputs[0].zero_point
        patches = self.window.patches(x if is_float else x.astype(np.int32), fill)
        total = np.zeros_like(patches[:, :, :, 0, 0])
        for row in range(self.filter_h):  # one after the other: the order decides the last bit
            for column in range(self.filter_w):
                with np.errstate(all="ignore"):
                    total = total + patches[:, :, :, row, column]
        inside = self.window.patches(np.ones_like(x, np.int32), 0).sum(axis=(3, 4), dtype=np.int32)
        whole = np.full_like(inside, self.filter_h * self.filter_w)
        count = whole if self.counts_padding else inside
        low, high = self.bounds(outputs[0])
        if is_float:
            return (np.clip(total / count.astype(np.float32), low, high).astype(np.float32),)
        away = np.where(total > 0, count // 2, -(count // 2))
        mean = np.trunc((total + away) / count)
        return (np.clip(mean, low, high).astype(x.dtype),)
