"""DEPTHWISE_CONV_2D on int8, filters of 3 x 3, with the dual multiplies of Armv7E-M."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._depthwise import (
    finish_cycles,
    in_place,
    is_suitable,
    numbers,
    output_params,
    planes_bytes,
)
from tinysim.compiler.variants._requantize import ShortScaling, short_scaling
from tinysim.firmware import Target

#: Planes that are kept, by stride: see ``kernels/dsp/depthwise_conv_2d_s8_dsp.h``.
DEPTHS = {1: 4, 2: 3}


class Depthwise3x3(Variant):
    """Rows become pairs of 16-bit numbers, four channels at a time; weights stay in registers."""

    replaces = "depthwise_conv_2d_s8"

    def runs_on(self, target: Target) -> bool:
        """Where there are dual multiplies."""
        return target.has_dsp

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Take what has the size and stride of the workers, and numbers for them."""
        p = call.params
        stride = int(p["stride_h"])
        scaling = short_scaling(call)
        if (
            (p["filter_h"], p["filter_w"]) != (3, 3)
            or stride not in DEPTHS
            or p["stride_w"] != stride
            or (p["dilation_h"], p["dilation_w"]) != (1, 1)
            or p["output_w"] < 2
            or scaling is None
            or not is_suitable(call)
        ):
            return
        sizes = ("batches", "input_h", "input_w", "input_c", "output_h", "output_w")
        params = {
            **{key: p[key] for key in sizes},
            "stride": stride,
            "pad_top": p["pad_top"],
            "pad_left": p["pad_left"],
            **output_params(call, scaling),
        }
        planes = int(p["output_h"] + 1) // 2 * stride + 1
        tuned = KernelCall(
            "depthwise_conv_2d_s8_dsp",
            params,
            call.inputs,
            call.outputs,
            (packed(call, scaling),),
            scratch_bytes=planes_bytes(call, DEPTHS[stride], planes),
            input_offsets=call.input_offsets,
            output_offsets=call.output_offsets,
            overlaps=in_place(call),
        )
        yield Candidate("depthwise_conv_2d_s8_dsp", tuned, cycles(call, scaling))


def packed(call: KernelCall, scaling: ShortScaling) -> Array:
    """Return six words a channel: the filter's columns, bias, multiplier and power."""
    filter_ = call.constants[0][0]
    columns = np.ascontiguousarray(filter_[[0, 1, 1, 2]].transpose(2, 1, 0))
    return np.hstack([columns.view("<i4").reshape(-1, 3), numbers(call, scaling)])


def cycles(call: KernelCall, scaling: ShortScaling) -> float:
    """Estimate what a Cortex-M4 takes: the workers' instructions, counted by its table."""
    p = call.params
    stride = p["stride_h"]
    pairs = (p["output_h"] + 1) // 2
    bands = -(-pairs // (DEPTHS[1] - 1)) if stride == 1 else pairs
    block = (68 if stride == 1 else 77) + finish_cycles(scaling)
    row = p["output_w"] // 2 * block + p["output_w"] % 2 * (block + 10) / 2 + 20
    channel = pairs * row + bands * 45
    group = (pairs * stride + 1) * (16 * p["input_w"] + 80) + bands * 150
    channels = p["input_c"] * p["depth_multiplier"]
    return float(p["batches"] * (channels * channel + -(-p["input_c"] // 4) * group))
