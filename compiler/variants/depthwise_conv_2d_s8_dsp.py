"""DEPTHWISE_CONV_2D on int8, filters of 3 x 3, with the dual multiplies of Armv7E-M."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall, Overlap
from tinysim.compiler.quantize import wrap_int32
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._requantize import ShortScaling, short_scaling
from tinysim.firmware import Target

#: Planes that are kept, by stride: see ``kernels/dsp/depthwise_conv_2d_s8_dsp.h``.
DEPTHS = {1: 4, 2: 3}
#: Bytes of a plane's column.
COLUMN_BYTES = 16


class Depthwise3x3(Variant):
    """Rows become pairs of 16-bit numbers, four channels at a time; weights stay in registers."""

    replaces = "depthwise_conv_2d_s8"

    def runs_on(self, target: Target) -> bool:
        """Where there are dual multiplies."""
        return target.has_dsp

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Take what has the size and stride of the workers, and numbers for them."""
        p = call.params
        strides = (p["stride_h"], p["stride_w"])
        scaling = short_scaling(call)
        if (
            (p["filter_h"], p["filter_w"]) != (3, 3)
            or strides not in ((1, 1), (2, 2))
            or (p["dilation_h"], p["dilation_w"]) != (1, 1)
            or p["filter_offset"] != 0
            or p["input_c"] < 4
            or p["output_w"] < 2
            or p["output_h"] < 1
            or scaling is None
            or not has_inner_columns(call)
        ):
            return
        stride = int(strides[0])
        params = {
            **{key: p[key] for key in ("batches", "input_h", "input_w", "input_c")},
            **{key: p[key] for key in ("output_h", "output_w")},
            "stride": stride,
            **{key: p[key] for key in ("pad_top", "pad_left")},
            "zero_point": -p["input_offset"],
            "output_offset": p["output_offset"]
            + (0 if scaling.is_saturating else 255 - p["activation_max"]),
            "has_sign": int(scaling.has_sign),
            "is_saturating": int(scaling.is_saturating),
            **{key: p[key] for key in ("activation_min", "activation_max", "depth_multiplier")},
        }
        planes = (p["output_h"] + 1) // 2 * stride + 1
        columns = (p["output_w"] - 1) * stride + 3
        tuned = KernelCall(
            "depthwise_conv_2d_s8_dsp",
            params,
            call.inputs,
            call.outputs,
            (packed(call, scaling),),
            scratch_bytes=COLUMN_BYTES * int(DEPTHS[stride] * columns + planes),
            input_offsets=call.input_offsets,
            output_offsets=call.output_offsets,
            overlaps=in_place(call),
        )
        yield Candidate("depthwise_conv_2d_s8_dsp", tuned, cycles(call, scaling))


def has_inner_columns(call: KernelCall) -> bool:
    """Whether some window reaches a column of the input: the kernels take at least one."""
    p = call.params
    return bool((p["output_w"] - 1) * p["stride_w"] + p["filter_w"] > p["pad_left"])


def in_place(call: KernelCall) -> Mapping[int, Overlap]:
    """Return the overlap: rows of the output where rows of the input were, for four channels.

    Row y of the input must have been read when row y of the output is written.
    """
    p = call.params
    is_in_place = (
        p["depth_multiplier"] == 1
        and p["output_h"] <= p["input_h"]
        and p["output_w"] <= p["input_w"]
        and p["pad_top"] < p["filter_h"]
        and not any(call.input_offsets)
        and not any(call.output_offsets)
    )
    return {0: Overlap(in_place=True)} if is_in_place else {}


def folded_bias(call: KernelCall) -> Array:
    """Return the biases of inputs that keep their zero point, which padding holds, too."""
    filter_, channels = call.constants
    sums = filter_.reshape(-1, filter_.shape[-1]).sum(axis=0, dtype=np.int64)
    folded = channels["bias"].astype(np.int64) + int(call.params["input_offset"]) * sums
    return wrap_int32(folded)


def packed(call: KernelCall, scaling: ShortScaling) -> Array:
    """Return six words a channel: the filter's columns, bias, multiplier and power."""
    filter_ = call.constants[0][0]
    table = np.empty((filter_.shape[2], 6), np.int32)
    columns = np.ascontiguousarray(filter_[[0, 1, 1, 2]].transpose(2, 1, 0))
    table[:, :3] = columns.view("<i4").reshape(-1, 3)
    table[:, 3] = folded_bias(call)
    table[:, 4] = scaling.multiplier
    table[:, 5] = scaling.power
    return table


def cycles(call: KernelCall, scaling: ShortScaling) -> float:
    """Estimate what a Cortex-M4 takes: the instructions of the workers, counted by its table."""
    p = call.params
    stride = p["stride_h"]
    pairs = (p["output_h"] + 1) // 2
    bands = -(-pairs // (DEPTHS[1] - 1)) if stride == 1 else pairs
    more = 0 if scaling.is_saturating and not scaling.has_sign else 4
    block = (69 if stride == 1 else 77) + more
    row = p["output_w"] // 2 * block + p["output_w"] % 2 * (block + 9) / 2 + 16
    channel = pairs * row + bands * 45
    plane = 20 * p["input_w"] + 70
    group = (pairs * stride + 1) * plane + bands * 60
    channels = p["input_c"] * p["depth_multiplier"]
    return float(p["batches"] * (channels * channel + -(-p["input_c"] // 4) * group))
