"""DEPTHWISE_CONV_2D: each input channel has filters of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall
from tinysim.compiler.ops._weights import (
    SlidingFilter,
    centred,
    finish,
    output_params,
    packed_constants,
    weight_problems,
)


@dataclass(frozen=True)
class DepthwiseConv2D(SlidingFilter):
    """``out[n,y,x,c*m+k] = clamp(requantize(bias + sum filter[i,j,c*m+k] * in[n,y',x',c]))``.

    Shapes: input ``[N, H, W, C]``, filter ``[1, H, W, O]`` with ``O = C * depth_multiplier``,
    bias ``[O]``, output ``[N, H, W, O]``.
    """

    tflite = "DEPTHWISE_CONV_2D"
    kernels = {
        DType.INT8: ("depthwise_conv_2d_s8",),
        DType.INT16: ("depthwise_conv_2d_s16",),
        DType.FLOAT32: ("depthwise_conv_2d_f32",),
    }

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check ranks, types and that the output has the computed shape."""
        x, filter_, bias = (*inputs, None, None, None)[:3]
        yield from weight_problems(
            x,
            filter_,
            bias,
            outputs[0],
            channel_axis=3,
            rounding=self.rounding,
            wide_biases=(DType.INT64,),
        )
        if x is None or filter_ is None:
            return
        yield from self.shape_problems(x, filter_, outputs[0], channel_axis=3)
        if len(x.shape) == 4 == len(filter_.shape) and (
            filter_.shape[0] != 1 or filter_.shape[3] % x.shape[3]
        ):
            yield f"filter {list(filter_.shape)} does not divide over {x.shape[3]} input channels"

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """``N * out_h * out_w * O * filter_h * filter_w``."""
        filter_ = inputs[1]
        assert filter_ is not None
        return outputs[0].elements * filter_.shape[1] * filter_.shape[2]

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Add the products of one filter position after the other."""
        x, filter_ = inputs[0], inputs[1]
        assert x is not None and filter_ is not None and filter_.data is not None
        (call,) = self.lower(inputs, outputs)
        assert values[0] is not None
        patches = self.window(filter_).patches(centred(values[0], x), 0)
        weights = centred(filter_.data[0], filter_)
        multiplier = filter_.shape[3] // x.shape[3]
        acc = np.zeros(outputs[0].shape, patches.dtype)
        with np.errstate(all="ignore"):
            for i, j in np.ndindex(filter_.shape[1:3]):
                acc += np.repeat(patches[:, :, :, i, j], multiplier, axis=3) * weights[i, j]
        return (finish(acc, call),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the type with the geometry as literals."""
        x, filter_, bias = (*inputs, None)[:3]
        out = outputs[0]
        assert x is not None and filter_ is not None
        params = {
            **self.sizes(x, filter_, out),
            **output_params(x, filter_, bias, out, self.activation, self.rounding),
            "depth_multiplier": out.shape[3] // x.shape[3],
        }
        constants = packed_constants(x, filter_, bias, out, out.shape[3], self.rounding)
        return (KernelCall(self.kernels[x.dtype][0], params, (x,), outputs, constants),)
