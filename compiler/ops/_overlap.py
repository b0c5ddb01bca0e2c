"""How near outputs may lie to inputs: worked out from the order in which kernels read and write."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinysim.compiler.graph import DType, Tensor
from tinysim.compiler.ops import Overlap
from tinysim.compiler.ops._window import Window


def element_overlap(x: Tensor, out: Tensor) -> Overlap | None:
    """Return the overlap of a kernel that goes over both element by element.

    Types of different size share memory only if one of them is bytes: C lets no other alias.
    """
    if x.elements != out.elements:
        return None
    small, large = x.dtype.itemsize, out.dtype.itemsize
    if x.dtype is not out.dtype and DType.INT8 not in (x.dtype, out.dtype):
        return None
    # Behind element i, `large * (i + 1)` bytes are written and `small * (i + 1)` are read.
    return Overlap(forward=max(0, (large - small) * (x.elements - 1)))


def element_overlaps(inputs: tuple[Tensor | None, ...], out: Tensor) -> Mapping[int, Overlap]:
    """Return the overlaps of a kernel that goes over its output element by element, in order.

    An input that is broadcast is read again and again: it must stay whole.
    """
    rules = {
        index: element_overlap(x, out)
        for index, x in enumerate(inputs)
        if x is not None and x.data is None and x.shape == out.shape
    }
    return {index: rule for index, rule in rules.items() if rule is not None}


def window_overlap(
    window: Window, x: Tensor, out: Tensor, gathered: int | None = None
) -> Overlap | None:
    """Return the overlap of a window that slides pixel by pixel, row by row, over one image.

    Every channel of a pixel may be read until the last channel of the output's pixel is written;
    unless ``gathered`` windows at a time are copied elsewhere before their pixels are written.
    """
    if x.shape[0] != 1 or x.dtype is not out.dtype:
        return None
    h, w = x.shape[1:3]
    top, left = window.pad(h, w)
    rows = _reach(out.shape[1], window.stride_h, top, window.filter_h, window.dilation_h, h)
    columns = _reach(out.shape[2], window.stride_w, left, window.filter_w, window.dilation_w, w)
    pixel_bytes = x.shape[3] * x.dtype.itemsize
    first = (rows[0][:, None] * w + columns[0]).ravel() * pixel_bytes
    last = (rows[1][:, None] * w + columns[1] + 1).ravel() * pixel_bytes
    written = np.arange(len(first) + 1) * (out.shape[3] * out.dtype.itemsize)
    still_read = np.minimum.accumulate(first[::-1])[::-1]
    been_read = np.maximum.accumulate(last)
    if gathered is None:
        return Overlap(
            forward=max(0, int((written[1:] - still_read).max())),
            backward=max(0, int((been_read - written[:-1]).max())),
        )
    # Pixels are counted from the side that the kernel begins at: the last group may be smaller.
    count = len(first)
    ends = np.minimum(np.arange(gathered, count + gathered, gathered), count)
    inner = ends[:-1]
    return Overlap(
        forward=max(0, int((written[inner] - still_read[inner]).max(initial=0))),
        backward=max(
            0, int((been_read[count - inner - 1] - written[count - inner]).max(initial=0))
        ),
    )


def _reach(
    positions: int, stride: int, pad: int, filter_: int, dilation: int, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last input index that a window may touch, at each position."""
    origin = np.arange(positions) * stride - pad
    return np.clip(origin, 0, size - 1), np.clip(origin + (filter_ - 1) * dilation, 0, size - 1)
