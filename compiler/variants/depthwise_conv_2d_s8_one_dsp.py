"""DEPTHWISE_CONV_2D on int8 whose filter covers the image, with Armv7E-M's dual multiplies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall, Overlap
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._depthwise import is_suitable, numbers
from tinysim.compiler.variants._requantize import ShortScaling, short_scaling
from tinysim.firmware import Target


class DepthwiseOne(Variant):
    """Four channels of two pixels at a time."""

    replaces = "depthwise_conv_2d_s8"

    def runs_on(self, target: Target) -> bool:
        """Where there are dual multiplies."""
        return target.has_dsp

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Take filters of the image's size that stand on it once."""
        p = call.params
        scaling = short_scaling(call)
        if (
            scaling is None
            or (p["output_h"], p["output_w"]) != (1, 1)
            or (p["filter_h"], p["filter_w"]) != (p["input_h"], p["input_w"])
            or p["input_c"] < 4
            or (p["pad_top"], p["pad_left"], p["depth_multiplier"]) != (0, 0, 1)
            or (p["dilation_w"] != 1 and p["filter_w"] != 1)
            or not is_suitable(call)
        ):
            return
        pixels = int(p["input_h"] * p["input_w"])
        is_alone = p["batches"] == 1 and not any((*call.input_offsets, *call.output_offsets))
        tuned = KernelCall(
            "depthwise_conv_2d_s8_one_dsp",
            {
                "batches": p["batches"],
                "pixels": pixels,
                "channels": p["input_c"],
                "output_offset": p["output_offset"],
                "has_sign": int(scaling.has_sign),
                "activation_min": p["activation_min"],
                "activation_max": p["activation_max"],
            },
            call.inputs,
            call.outputs,
            (packed(call, scaling),),
            input_offsets=call.input_offsets,
            output_offsets=call.output_offsets,
            overlaps={0: Overlap(in_place=True)} if is_alone else {},
        )
        groups = -(-p["input_c"] // 4)
        yield Candidate(tuned.kernel, tuned, float(p["batches"] * groups * (13 * pixels + 70)))


def packed(call: KernelCall, scaling: ShortScaling) -> Array:
    """Return, for four channels at a time, their numbers and words of two pixels' weights."""
    filter_ = call.constants[0]
    channels = filter_.shape[3]
    pixels = filter_.reshape(-1, channels)
    pairs = np.zeros((-(-len(pixels) // 2) * 2, channels), np.int8)
    pairs[: len(pixels)] = pixels
    table = numbers(call, scaling)
    groups = []
    for channel in range(0, channels, 4):
        first = min(channel, channels - 4)
        four = pairs[:, first : first + 4].reshape(-1, 2, 2, 2)  # pairs, pixel, half, channel
        words = four.transpose(0, 2, 1, 3).reshape(-1, 4).view("<i4")
        groups += [table[first : first + 4].T.ravel(), words.ravel()]
    return np.concatenate(groups).astype(np.int32)
