"""DEPTHWISE_CONV_2D on int8, narrow images, with the dual multiplies of Armv7E-M."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._depthwise import (
    columns_of,
    finish_cycles,
    in_place,
    is_suitable,
    numbers,
    output_params,
    planes_bytes,
)
from tinysim.compiler.variants._requantize import ShortScaling, short_scaling
from tinysim.firmware import Target

#: Scratch that the planes of the whole input may take.
MOST_BYTES = 4096


class DepthwiseRows(Variant):
    """Rows become pairs of 16-bit numbers, four channels at a time; four rows a turn."""

    replaces = "depthwise_conv_2d_s8"

    def runs_on(self, target: Target) -> bool:
        """Where there are dual multiplies."""
        return target.has_dsp

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Take strides of one row, if all planes together are small."""
        p = call.params
        scaling = short_scaling(call)
        if scaling is None or p["stride_h"] != 1 or not is_suitable(call):
            return
        words = words_of(call)
        turns = -(-int(p["output_h"]) // 4)
        depth = 2 * turns + 2 * words - 1
        scratch_bytes = planes_bytes(call, depth, depth)
        if scratch_bytes > MOST_BYTES:
            return
        sizes = ("batches", "input_h", "input_w", "input_c", "output_h", "output_w")
        window = ("filter_h", "filter_w", "stride_w", "dilation_w", "pad_top", "pad_left")
        tuned = KernelCall(
            "depthwise_conv_2d_s8_rows_dsp",
            {**{key: p[key] for key in (*sizes, *window)}, **output_params(call, scaling)},
            call.inputs,
            call.outputs,
            (packed(call, scaling),),
            scratch_bytes=scratch_bytes,
            input_offsets=call.input_offsets,
            output_offsets=call.output_offsets,
            overlaps=in_place(call),
        )
        yield Candidate(tuned.kernel, tuned, cycles(call, scaling))


def words_of(call: KernelCall) -> int:
    """Return the words of four weights that a column of the filter takes.

    Windows of odd rows begin with the lower row of a plane: they may touch a plane more.
    """
    return int(call.params["filter_h"] // 2 + 2) // 2


def packed(call: KernelCall, scaling: ShortScaling) -> Array:
    """Return bias, multiplier and power, then the filter's columns in words of four rows."""
    filter_ = call.constants[0][0]
    height, width, channels = filter_.shape
    rows = np.zeros((words_of(call) * 4, width, channels), np.int8)
    rows[:height] = filter_
    order = np.arange(len(rows)).reshape(-1, 4)[:, [1, 3, 0, 2]].ravel()
    columns = np.ascontiguousarray(rows[order].transpose(2, 1, 0))
    words = columns.reshape(channels, -1).view("<i4")
    return np.hstack([numbers(call, scaling), words])


def cycles(call: KernelCall, scaling: ShortScaling) -> float:
    """Estimate what a Cortex-M4 takes: the workers' instructions, counted by its table."""
    p = call.params
    turn = p["filter_w"] * (20 * words_of(call) + 12) + 50 + finish_cycles(scaling)
    channel = p["output_w"] * (-(-p["output_h"] // 4) * turn + 35)
    planes = (p["output_h"] + p["filter_h"]) // 2
    is_column = p["input_w"] == 1 and p["pad_top"] % 2 == 0 and columns_of(call) == 1
    making = 16 * planes + 160 if is_column else planes * (16 * p["input_w"] + 80)
    group = making + p["output_w"] * 80 + 50
    channels = p["input_c"] * p["depth_multiplier"]
    return float(p["batches"] * (channels * channel + -(-p["input_c"] // 4) * group))
