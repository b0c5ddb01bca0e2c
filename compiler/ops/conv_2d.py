"""CONV_2D: a filter of all input channels slides over the input."""

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
class Conv2D(SlidingFilter):
    """``out[n,y,x,o] = clamp(requantize(bias[o] + sum filter[o,i,j,c] * in[n,y',x',c]))``.

    Shapes: input ``[N, H, W, C]``, filter ``[O, H, W, C]``, bias ``[O]``, output ``[N, H, W, O]``.
    """

    tflite = "CONV_2D"
    kernels = {DType.INT8: ("conv_2d_s8",)}

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check ranks, types and that the output has the computed shape."""
        x, filter_, bias = (*inputs, None)[:3]
        yield from weight_problems(x, filter_, bias, outputs[0], channel_axis=0)
        if x is None or filter_ is None:
            return
        if len(x.shape) != 4 or len(filter_.shape) != 4:
            yield f"input {list(x.shape)} and filter {list(filter_.shape)} must have 4 dimensions"
            return
        if x.shape[3] != filter_.shape[3]:
            yield (
                f"input has {x.shape[3]} channels, the filter {filter_.shape[3]}: "
                "grouped convolution has no kernel"
            )
        size = self.window(filter_).output_size(x.shape[1], x.shape[2])
        yield from wanted_shape(outputs[0], "output", (x.shape[0], *size, filter_.shape[0]))

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """``N * out_h * out_w * O * filter_h * filter_w * C``."""
        filter_ = inputs[1]
        assert filter_ is not None
        return outputs[0].elements * filter_.elements // filter_.shape[0]

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Multiply patches in double, which is exact for int8 products."""
        x, filter_ = inputs[0], inputs[1]
        assert x is not None and filter_ is not None and filter_.data is not None
        (call,) = self.lower(inputs, outputs)
        assert values[0] is not None
        centred = values[0].astype(np.float64) - x.zero_point
        patches = self.window(filter_).patches(centred, 0)
        n, h, w = patches.shape[:3]
        weights = filter_.data.reshape(filter_.shape[0], -1).astype(np.float64)
        acc = patches.reshape(n * h * w, -1) @ weights.T
        low, high = call.params["activation_min"], call.params["activation_max"]
        y = scale_and_clamp(acc, call.constants[1], outputs[0], int(low), int(high))
        return (y.reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the int8 kernel with the geometry as literals."""
        x, filter_, bias = (*inputs, None)[:3]
        out = outputs[0]
        assert x is not None and filter_ is not None and filter_.data is not None
        params = {**self.shared_params(x, filter_, out), "output_c": out.shape[3]}
        channels = channel_table(bias, per_channel_multipliers(x, filter_, out, out.shape[3]))
        return (KernelCall("conv_2d_s8", params, (x,), outputs, (filter_.data, channels)),)
