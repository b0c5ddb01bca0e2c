"""What the variants of CONV_2D for DSP instructions share: weights, biases, order of reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall, Overlap
from tinysim.compiler.ops._overlap import window_overlap
from tinysim.compiler.ops._window import Pads, Window
from tinysim.compiler.quantize import wrap_int32
from tinysim.compiler.variants._matrix import padded_rows
from tinysim.compiler.variants._requantize import ShortScaling, short_scaling


@dataclass(frozen=True, eq=False)
class Prepared:
    """A convolution with its zero point in the biases.

    ``weights`` are ``[O, K]`` with K a multiple of 4, ``biases`` ``[O]``; ``sizes`` are the integer
    parameters of the portable call.
    """

    sizes: Mapping[str, int]
    weights: Array
    biases: Array
    scaling: ShortScaling | None


def prepared(call: KernelCall) -> Prepared | None:
    """Return what the kernels need of a portable call; None with groups or a filter's offset."""
    sizes = {key: int(value) for key, value in call.params.items()}
    if sizes["filter_offset"] != 0 or sizes["filter_c"] != sizes["input_c"]:
        return None
    weights = padded_rows(call.constants[0].reshape(sizes["output_c"], -1))
    biases = call.constants[1]["bias"].astype(np.int64)
    biases = wrap_int32(biases + sizes["input_offset"] * weights.sum(axis=1, dtype=np.int64))
    return Prepared(sizes, weights, biases, short_scaling(call))


def overlaps(call: KernelCall, gathered: int) -> dict[int, Overlap]:
    """Let the output lie over what no later window sees; ``gathered`` pixels are read at a time."""
    p = {key: int(value) for key, value in call.params.items()}
    extents = [
        (p[f"output_{a}"] - 1) * p[f"stride_{a}"] + (p[f"filter_{a}"] - 1) * p[f"dilation_{a}"] + 1
        for a in "hw"
    ]
    below, right = (
        max(0, extent - p[before] - p[f"input_{a}"])
        for extent, before, a in zip(extents, ("pad_top", "pad_left"), "hw", strict=True)
    )
    window = Window(
        p["filter_h"],
        p["filter_w"],
        p["stride_h"],
        p["stride_w"],
        p["dilation_h"],
        p["dilation_w"],
        Pads(p["pad_top"], p["pad_left"], below, right),
    )
    rule = window_overlap(window, call.inputs[0], call.outputs[0], gathered)
    return {} if rule is None else {0: rule}
