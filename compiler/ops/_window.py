"""Sliding windows: the geometry that convolution and pooling share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array


@dataclass(frozen=True)
class Window:
    """A window of ``[filter_h, filter_w]`` that slides over ``[H, W]``."""

    filter_h: int
    filter_w: int
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    padding: str

    def output_size(self, h: int, w: int) -> tuple[int, int]:
        """Return the ``[H, W]`` of the output."""
        return (
            _positions(h, self.filter_h, self.stride_h, self.dilation_h, self.padding),
            _positions(w, self.filter_w, self.stride_w, self.dilation_w, self.padding),
        )

    def pad(self, h: int, w: int) -> tuple[int, int]:
        """Return how many rows and columns of padding stand above and left of the input."""
        out_h, out_w = self.output_size(h, w)
        return (
            _pad_before(h, out_h, self.filter_h, self.stride_h, self.dilation_h, self.padding),
            _pad_before(w, out_w, self.filter_w, self.stride_w, self.dilation_w, self.padding),
        )

    def geometry(self, h: int, w: int) -> dict[str, int]:
        """Return the fields of a kernel's parameters that describe the window."""
        pad_top, pad_left = self.pad(h, w)
        return {
            "filter_h": self.filter_h,
            "filter_w": self.filter_w,
            "stride_h": self.stride_h,
            "stride_w": self.stride_w,
            "dilation_h": self.dilation_h,
            "dilation_w": self.dilation_w,
            "pad_top": pad_top,
            "pad_left": pad_left,
        }

    def patches(self, x: Array, fill: int) -> Array:
        """Return ``[N, out_h, out_w, filter_h, filter_w, C]`` of ``x [N, H, W, C]``.

        Positions outside the input read as ``fill``.
        """
        n, h, w, c = x.shape
        out_h, out_w = self.output_size(h, w)
        pad_top, pad_left = self.pad(h, w)
        need_h = (out_h - 1) * self.stride_h + (self.filter_h - 1) * self.dilation_h + 1
        need_w = (out_w - 1) * self.stride_w + (self.filter_w - 1) * self.dilation_w + 1
        canvas = np.full(
            (n, max(need_h, pad_top + h), max(need_w, pad_left + w), c), fill, dtype=x.dtype
        )
        canvas[:, pad_top : pad_top + h, pad_left : pad_left + w] = x
        sn, sh, sw, sc = canvas.strides
        return np.lib.stride_tricks.as_strided(
            canvas,
            (n, out_h, out_w, self.filter_h, self.filter_w, c),
            (
                sn,
                sh * self.stride_h,
                sw * self.stride_w,
                sh * self.dilation_h,
                sw * self.dilation_w,
                sc,
            ),
            writeable=False,
        )


def _positions(size: int, filter_: int, stride: int, dilation: int, padding: str) -> int:
    """Return how many times the window fits along one axis."""
    extent = (filter_ - 1) * dilation + 1
    if padding == "SAME":
        return -(-size // stride)
    return max(0, (size - extent) // stride + 1)


def _pad_before(
    size: int, positions: int, filter_: int, stride: int, dilation: int, padding: str
) -> int:
    """Return the padding before the input along one axis; the odd one goes behind."""
    if padding != "SAME":
        return 0
    extent = (filter_ - 1) * dilation + 1
    return max(0, (positions - 1) * stride + extent - size) // 2
