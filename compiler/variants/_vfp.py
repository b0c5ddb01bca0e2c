"""What the float32 kernels of cores with an FPU share: filters and biases as they want them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.ops._window import Pads, Window
from tinysim.firmware import Target

#: Output channels side by side in the filters, and in one turn of the row worker.
LANES = 4
TURN = 8

#: Cycles of a Cortex-M4, counted from the workers' instructions: for each product of a tile (5
#: pixels, 4 channels) and of a row (8 channels), and for an output of either beside its products.
TILE_PRODUCT = 2.65
ROW_PRODUCT = 3.55
TILE_OUTPUT = 8.0
ROW_OUTPUT = 11.0


def has_fpu(target: Target) -> bool:
    """Whether the core has registers for floats of single precision."""
    return target.fpu != "none"


def is_for(call: KernelCall) -> bool:
    """Whether a portable call's numbers suit the workers.

    They take positive outputs for those without a sign: 0 as the least must have none.
    """
    least = float(call.params["activation_min"])
    finite = all(np.isfinite(array).all() for array in call.constants)
    return finite and (least != 0 or math.copysign(1, least) > 0)


def packed_filters(rows: Array) -> Array:
    """Return filters ``[O, K]`` as ``[(O + 3) / 4, K, 4]``, padded with zeros."""
    channels, count = rows.shape
    padded = np.zeros((-(-channels // LANES) * LANES, count), np.float32)
    padded[:channels] = rows
    return np.ascontiguousarray(padded.reshape(-1, LANES, count).transpose(0, 2, 1))


def packed_bias(bias: Array) -> Array:
    """Return biases, padded with zeros to whole turns, +0 for -0.

    No sum of the reference is -0, so either zero adds nothing to it; to a product that is -0,
    which workers take for the first sum, +0 gives the +0 that the reference has.
    """
    padded = np.zeros(-(-len(bias) // TURN) * TURN, np.float32)
    padded[: len(bias)] = bias + np.float32(0)
    return padded


def window_of(params: Mapping[str, int | float]) -> Window:
    """Return the window that a portable convolution's parameters describe.

    What lies below and right of the input is not among them; windows that reach there are cut.
    """
    filter_h, filter_w, stride_h, stride_w, dilation_h, dilation_w, top, left = (
        int(params[key])
        for key in (
            *("filter_h", "filter_w", "stride_h", "stride_w", "dilation_h", "dilation_w"),
            *("pad_top", "pad_left"),
        )
    )
    pads = Pads(top, left, 0, 0)
    return Window(filter_h, filter_w, stride_h, stride_w, dilation_h, dilation_w, pads)
