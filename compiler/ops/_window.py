"""Sliding windows: the geometry that convolution and pooling share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array

#: Largest extent, step or padding of a window: what a kernel adds up then stays an int32.
MAX_EXTENT = 2**16


@dataclass(frozen=True)
class Pads:
    """Explicit padding: rows above and below the input, columns left and right of it."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True)
class Window:
    """A window of ``[filter_h, filter_w]`` that slides over ``[H, W]``.

    ``padding`` is ``"SAME"``, ``"VALID"`` or explicit.
    """

    filter_h: int
    filter_w: int
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    padding: str | Pads

    def problems(self) -> Iterator[str]:
        """Yield what makes the window one that no kernel can slide."""
        steps = (self.stride_h, self.stride_w, self.dilation_h, self.dilation_w)
        if min(self.filter_h, self.filter_w, *steps) < 1:
            yield "filter, stride and dilation must be at least 1"
            return
        extents = [(filter_ - 1) * dilation + 1 for filter_, _, dilation in self._axes]
        pads: tuple[int, ...] = ()
        if isinstance(self.padding, Pads):
            pads = (self.padding.top, self.padding.left, self.padding.bottom, self.padding.right)
        elif self.padding not in ("SAME", "VALID"):
            yield f"padding {self.padding} has no kernel"
        if min(pads, default=0) < 0:
            yield f"padding {list(pads)} is negative"
        if max(*extents, *steps, *pads) > MAX_EXTENT:
            yield f"a window may extend, step and be padded by {MAX_EXTENT:,} positions at most"

    @property
    def _axes(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """Filter, stride and dilation along H and W."""
        return (
            (self.filter_h, self.stride_h, self.dilation_h),
            (self.filter_w, self.stride_w, self.dilation_w),
        )

    def output_size(self, h: int, w: int) -> tuple[int, int]:
        """Return the ``[H, W]`` of the output."""
        added = (0, 0)
        if isinstance(self.padding, Pads):
            added = (self.padding.top + self.padding.bottom, self.padding.left + self.padding.right)
        is_same = self.padding == "SAME"
        out_h, out_w = (
            _positions(size + more, *axis, is_same)
            for size, more, axis in zip((h, w), added, self._axes, strict=True)
        )
        return out_h, out_w

    def pad(self, h: int, w: int) -> tuple[int, int]:
        """Return how many rows and columns of padding stand above and left of the input."""
        if isinstance(self.padding, Pads):
            return self.padding.top, self.padding.left
        if self.padding != "SAME":
            return 0, 0
        top, left = (
            _pad_before(size, positions, *axis)
            for size, positions, axis in zip(
                (h, w), self.output_size(h, w), self._axes, strict=True
            )
        )
        return top, left

    def pads(self, h: int, w: int) -> Pads:
        """Return the padding on all sides that some window reaches into."""
        top, left = self.pad(h, w)
        below, right = (
            max(0, (positions - 1) * stride + (filter_ - 1) * dilation + 1 - before - size)
            for size, positions, before, (filter_, stride, dilation) in zip(
                (h, w), self.output_size(h, w), (top, left), self._axes, strict=True
            )
        )
        return Pads(top, left, below, right)

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


def _positions(size: int, filter_: int, stride: int, dilation: int, is_same: bool) -> int:
    """Return how many times the window fits along one axis."""
    extent = (filter_ - 1) * dilation + 1
    if is_same:
        return -(-size // stride)
    return max(0, (size - extent) // stride + 1)


def _pad_before(size: int, positions: int, filter_: int, stride: int, dilation: int) -> int:
    """Return the padding before the input along one axis; the odd one goes behind."""
    extent = (filter_ - 1) * dilation + 1
    return max(0, (positions - 1) * stride + extent - size) // 2
