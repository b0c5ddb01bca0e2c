"""What the tuned depthwise kernels share: planes of channels, and outputs where inputs were."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall, Overlap
from tinysim.compiler.quantize import wrap_int32
from tinysim.compiler.variants._requantize import ShortScaling

#: Bytes of a plane's column (``kernels/dsp/depthwise_dsp.h``).
COLUMN_BYTES = 16


def is_suitable(call: KernelCall) -> bool:
    """Whether the filter has no offset, and some columns are not padding.

    Rows of one filter column must be neighbours: planes hold pairs of them.
    """
    p = call.params
    return bool(
        p["filter_offset"] == 0
        and (p["dilation_h"] == 1 or p["filter_h"] == 1)
        and call.outputs[0].elements > 0
        and columns_of(call) > p["pad_left"]
    )


def columns_of(call: KernelCall) -> int:
    """Return how many columns of padded input the windows reach."""
    p = call.params
    last = (p["output_w"] - 1) * p["stride_w"]
    return int(last + (p["filter_w"] - 1) * p["dilation_w"] + 1)


def planes_bytes(call: KernelCall, depth: int, planes: int) -> int:
    """Return the scratch for planes of which ``depth`` are kept at a time.

    Of less than four channels words reach beyond their pixels: there is a copy of the last row.
    """
    p = call.params
    row_bytes = int(p["input_w"] * p["input_c"] + 6) // 4 * 4 if p["input_c"] < 4 else 0
    return row_bytes + COLUMN_BYTES * ((columns_of(call) - 1) * depth + planes)


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


def numbers(call: KernelCall, scaling: ShortScaling) -> Array:
    """Return bias, multiplier and power of each channel, int32 ``[O, 3]``.

    The biases are those of inputs that keep their zero point, which padding holds, too.
    """
    filter_, channels = call.constants
    sums = filter_.reshape(-1, filter_.shape[-1]).sum(axis=0, dtype=np.int64)
    folded = channels["bias"].astype(np.int64) + int(call.params["input_offset"]) * sums
    bias = wrap_int32(folded).astype(np.int32)
    return np.stack([bias, scaling.multiplier, scaling.power], axis=1)


def output_params(call: KernelCall, scaling: ShortScaling) -> dict[str, int | float]:
    """Return the kernel parameters that say how sums become outputs.

    Without saturation to int8 alone outputs are raised until the largest ones saturate to 255.
    """
    p = call.params
    raised = 0 if scaling.is_saturating else 255 - p["activation_max"]
    return {
        "zero_point": -p["input_offset"],
        "output_offset": p["output_offset"] + raised,
        "has_sign": int(scaling.has_sign),
        "is_saturating": int(scaling.is_saturating),
        "activation_min": p["activation_min"],
        "activation_max": p["activation_max"],
        "depth_multiplier": p["depth_multiplier"],
    }


def finish_cycles(scaling: ShortScaling) -> int:
    """Return what four sums cost more than in the shortest case on a Cortex-M4."""
    signs = 4 if scaling.has_sign or not scaling.is_saturating else 0
    return signs + (0 if scaling.is_saturating else 11)
