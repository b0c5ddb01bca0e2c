"""DEPTHWISE_CONV_2D on int8, filters of any size, with the dual multiplies of Armv7E-M."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._depthwise import (
    COLUMN_BYTES,
    finish_cycles,
    in_place,
    is_suitable,
    numbers,
    output_params,
    planes_bytes,
)
from tinysim.compiler.variants._requantize import ShortScaling, short_scaling
from tinysim.firmware import Target

#: Scratch that the weights of four channels may take.
MOST_WEIGHTS_BYTES = 4096


@dataclass(frozen=True)
class _Geometry:
    """What the kernel works out of the sizes, too: see ``depthwise_conv_2d_s8_any_dsp.h``."""

    bands: int
    #: Lines a band: two, if every other row of the output begins with a plane's lower row.
    lines: int
    #: Planes that a window touches, and those that a band goes on by.
    pairs: int
    advance: int
    #: Planes that a band touches, and all.
    needed: int
    planes: int

    @classmethod
    def of(cls, call: KernelCall) -> _Geometry:
        """Work it out."""
        height, stride = int(call.params["filter_h"]), int(call.params["stride_h"])
        lines = 1 + stride % 2
        pairs = (height + lines) // 2 if lines == 1 else height // 2 + 1
        bands = -(-int(call.params["output_h"]) // lines)
        advance = stride if lines == 2 else stride // 2
        needed = pairs + (stride // 2 if lines == 2 else 0)
        return cls(bands, lines, pairs, advance, needed, needed + (bands - 1) * advance)


class DepthwiseAny(Variant):
    """Rows become pairs of 16-bit numbers, four channels at a time; four outputs a turn."""

    replaces = "depthwise_conv_2d_s8"

    def runs_on(self, target: Target) -> bool:
        """Where there are dual multiplies."""
        return target.has_dsp

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Take what short requantization there is for, if the scratch stays small."""
        scaling = short_scaling(call)
        if scaling is None or not is_suitable(call):
            return
        found = _Geometry.of(call)
        p = call.params
        pair_words = int(p["filter_w"]) * found.pairs * found.lines
        weights_bytes = 16 * int(p["depth_multiplier"]) * pair_words
        too_wide = p["dilation_w"] * found.needed * COLUMN_BYTES >= 2**16
        if weights_bytes > MOST_WEIGHTS_BYTES or too_wide:
            return
        tuned = KernelCall(
            "depthwise_conv_2d_s8_any_dsp",
            params(call, scaling),
            call.inputs,
            call.outputs,
            (packed(call, scaling, found.pairs),),
            scratch_bytes=weights_bytes + planes_bytes(call, found.needed, found.planes),
            input_offsets=call.input_offsets,
            output_offsets=call.output_offsets,
            overlaps=in_place(call),
        )
        yield Candidate(tuned.kernel, tuned, cycles(call, scaling, found))


def params(call: KernelCall, scaling: ShortScaling) -> dict[str, int | float]:
    """Return the kernel's parameters."""
    sizes = ("batches", "input_h", "input_w", "input_c", "output_h", "output_w")
    window = ("filter_h", "filter_w", "stride_h", "stride_w", "dilation_w", "pad_top", "pad_left")
    return {
        **{key: call.params[key] for key in (*sizes, *window)},
        **output_params(call, scaling),
    }


def packed(call: KernelCall, scaling: ShortScaling, pairs: int) -> Array:
    """Return bias, multiplier and power, then the filter's columns in words of four rows."""
    filter_ = call.constants[0][0]
    height, width, channels = filter_.shape
    rows = np.zeros((-(-pairs // 2) * 4, width, channels), np.int8)
    rows[:height] = filter_
    order = np.arange(len(rows)).reshape(-1, 4)[:, [0, 2, 1, 3]].ravel()
    columns = np.ascontiguousarray(rows[order].transpose(2, 1, 0))
    words = columns.reshape(channels, -1).view("<i4")
    return np.hstack([numbers(call, scaling), words])


def cycles(call: KernelCall, scaling: ShortScaling, found: _Geometry) -> float:
    """Estimate what a Cortex-M4 takes: the workers' instructions, counted by its table."""
    p = call.params
    width, length = p["filter_w"], p["output_w"]
    turn = found.pairs * (14 * width + 10) + 55 + finish_cycles(scaling)
    single = found.pairs * (8 * width + 10) + 35
    line = -(-length // 4) * turn if length >= 4 else length * single
    channel = found.bands * (found.lines * (line + 15) + 35) + 16 * width * (found.pairs + 1)
    group = found.planes * (16 * p["input_w"] + 80) + found.bands * 120 + 200
    channels = p["input_c"] * p["depth_multiplier"]
    return float(p["batches"] * (channels * channel + -(-p["input_c"] // 4) * group))
