"""CONV_2D on float32 with an FPU: five pixels and four channels at a time stay in registers."""

from __future__ import annotations

from collections.abc import Iterator

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.ops._overlap import window_overlap
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._vfp import (
    LANES,
    TILE_OUTPUT,
    TILE_PRODUCT,
    has_fpu,
    is_for,
    packed_bias,
    packed_filters,
    window_of,
)
from tinysim.firmware import Target

NAME = "conv_2d_f32_vfp"

#: Pixels that are computed together (``TS_CONV_2D_F32_VFP_PIXELS``).
PIXELS = 5

#: Cycles for copying a number to where the tile wants it.
COPY = 3.5


class Conv2DF32Vfp(Variant):
    """``ts_conv_2d_f32_vfp``."""

    replaces = "conv_2d_f32"

    def runs_on(self, target: Target) -> bool:
        """Whether there is an FPU."""
        return has_fpu(target)

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield the one that there is, unless the filters have groups."""
        if call.params["filter_c"] != call.params["input_c"] or not is_for(call):
            return
        yield convolution(call, call.constants[0].reshape(int(call.params["output_c"]), -1))


def convolution(call: KernelCall, rows: Array) -> Candidate:
    """Return the tuned convolution with filters ``rows [O, H * W * C]`` for a portable call."""
    channels, count = rows.shape
    x, out = call.inputs[0], call.outputs[0]
    rule = window_overlap(window_of(call.params), x, out, gathered=PIXELS)
    pixels = out.elements // channels
    own = ("filter_c", "depth_multiplier", "output_c")
    params = {key: value for key, value in call.params.items() if key not in own}
    tuned = KernelCall(
        NAME,
        params | {"output_c": channels},
        call.inputs,
        call.outputs,
        (packed_filters(rows), packed_bias(call.constants[1])),
        scratch_bytes=4 * count * (pixels if pixels < 3 else PIXELS),
        input_offsets=call.input_offsets,
        output_offsets=call.output_offsets,
        overlaps={} if rule is None else {0: rule},
        passes=-(-pixels // PIXELS),
    )
    lanes = -(-channels // LANES) * LANES
    cycles = pixels * (lanes * (count * TILE_PRODUCT + TILE_OUTPUT) + count * COPY)
    return Candidate(NAME, tuned, cycles)
