"""DEPTHWISE_CONV_2D: each input channel has filters of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, wanted_shape
from tinysim.compiler.ops._weights import (
    SlidingFilter,
    channel_table,
    per_channel_multipliers,
    scale_and_clamp,
    weight_problems,
)


@dataclass(frozen=True)
class DepthwiseConv2D(SlidingFilter):
    """``out[n,y,x,c*m+k] = clamp(requantize(bias + sum filter[i,j,c*m+k] * in[n,y',x',c]))``.

    Shapes: input ``[N, H, W, C]``, filter ``[1, H, W, O]`` with ``O = C * depth_multiplier``,
    bias ``[O]``, output ``[N, H, W, O]``.
    """

    tflite = "DEPTHWISE_CONV_2D"
    kernels = {DType.INT8: ("depthwise_conv_2d_s8",)}

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check ranks, types and that the output has the computed shape."""
        x, filter_, bias = (*inputs, None)[:3]
        yield from weight_problems(x, filter_, bias, outputs[0], channel_axis=3)
        if x is None or filter_ is None:
            return
        if len(x.shape) != 4 or len(filter_.shape) != 4:
            yield f"input {list(x.shape)} and filter {list(filter_.shape)} must have 4 dimensions"
            return
        if filter_.shape[0] != 1 or filter_.shape[3] % x.shape[3]:
            yield f"filter {list(filter_.shape)} does not divide over {x.shape[3]} input channels"
        size = self.window(filter_).output_size(x.shape[1], x.shape[2])
        yield from wanted_shape(outputs[0], "output", (x.shape[0], *size, filter_.shape[3]))

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """``N * out_h * out_w * O * filter_h * filter_w``."""
        filter_ = inputs[1]
        assert filter_ is not None
        return outputs[0].elements * filter_.shape[1] * filter_.shape[2]

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Sum patches channel by channel."""
        x, filter_ = inputs[0], inputs[1]
        assert x is not None and filter_ is not None and filter_.data is not None
        (call,) = self.lower(inputs, outputs)
        assert values[0] is not None
        centred = values[0].astype(np.int32) - x.zero_point
        multiplier = filter_.shape[3] // x.shape[3]
        patches = np.repeat(self.window(filter_).patches(centred, 0), multiplier, axis=5)
        acc = np.einsum("nyxijc,ijc->nyxc", patches, filter_.data[0].astype(np.int32))
        low, high = call.params["activation_min"], call.params["activation_max"]
        return (scale_and_clamp(acc, call.constants[1], outputs[0], int(low), int(high)),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the int8 kernel with the geometry as literals."""
        x, filter_, bias = (*inputs, None)[:3]
        out = outputs[0]
        assert x is not None and filter_ is not None and filter_.data is not None
        params = {
            **self.shared_params(x, filter_, out),
            "depth_multiplier": out.shape[3] // x.shape[3],
        }
        channels = channel_table(bias, per_channel_multipliers(x, filter_, out, out.shape[3]))
        return (
            KernelCall("depthwise_conv_2d_s8", params, (x,), outputs, (filter_.data, channels)),
        )
