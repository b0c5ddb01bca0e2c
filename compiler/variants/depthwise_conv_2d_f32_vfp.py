"""DEPTHWISE_CONV_2D on float32 with an FPU: channels side by side, three pixels where it can."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tinysim.compiler.ops import KernelCall
from tinysim.compiler.ops._overlap import window_overlap
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._vfp import LANES, has_fpu, is_for, window_of
from tinysim.compiler.variants.conv_2d_f32_vfp import convolution
from tinysim.firmware import Target

#: Cycles of a Cortex-M4 for a product of three pixels at a time, of one, and for an output of
#: either beside its products.
TRIO_PRODUCT, PIXEL_PRODUCT, OUTPUT = 3.5, 5.5, 8.0


class DepthwiseConv2DF32Vfp(Variant):
    """``ts_depthwise_conv_2d_f32_vfp``."""

    replaces = "depthwise_conv_2d_f32"

    def runs_on(self, target: Target) -> bool:
        """Whether there is an FPU."""
        return has_fpu(target)

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield a convolution if there is one input channel, else the one for a multiplier of 1."""
        params = call.params
        channels = int(params["input_c"])
        if not is_for(call):
            return
        if channels == 1:
            outputs = int(params["depth_multiplier"])
            yield convolution(call, call.constants[0].reshape(-1, outputs).T)
        if params["depth_multiplier"] != 1 or channels < LANES:
            return
        has_trios = _has_trios(params)
        x, out = call.inputs[0], call.outputs[0]
        rule = window_overlap(window_of(params), x, out)
        if rule is not None and has_trios:
            # While the first four channels of three pixels are written, the others of the first
            # pixel are still to be read: one pixel more than if pixels were computed one by one.
            assert rule.forward is not None and rule.backward is not None
            pixel_bytes = channels * x.dtype.itemsize
            rule = replace(
                rule, forward=rule.forward + pixel_bytes, backward=rule.backward + pixel_bytes
            )
        name = "depthwise_conv_2d_f32_vfp"
        tuned = KernelCall(
            name,
            {key: value for key, value in params.items() if key != "depth_multiplier"},
            call.inputs,
            call.outputs,
            call.constants,
            input_offsets=call.input_offsets,
            output_offsets=call.output_offsets,
            overlaps={} if rule is None else {0: rule},
        )
        product = TRIO_PRODUCT if has_trios else PIXEL_PRODUCT
        taps = int(params["filter_h"]) * int(params["filter_w"])
        yield Candidate(name, tuned, out.elements * (taps * product + OUTPUT))


def _has_trios(params: Mapping[str, int | float]) -> bool:
    """Whether somewhere three pixels side by side see nothing of the padding left and right."""
    steps = (params["filter_w"], params["stride_w"], params["dilation_w"])
    if steps != (3, 1, 1) or params["input_c"] % LANES:
        return False
    begin, end = params["pad_left"], params["input_w"] + params["pad_left"] - 2
    return min(end, params["output_w"]) - begin >= 3
