"""CONV_2D: a filter of all input channels, or of a group of them, slides over the input."""

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
    matrix_sums,
    output_params,
    packed_constants,
    weight_problems,
)


@dataclass(frozen=True)
class Conv2D(SlidingFilter):
    """``out[n,y,x,o] = clamp(requantize(bias[o] + sum filter[o,i,j,c] * in[n,y',x',c]))``.

    Shapes: input ``[N, H, W, C]``, filter ``[O, H, W, C / groups]``, bias ``[O]``, output
    ``[N, H, W, O]``. The filters of the first ``O / groups`` output channels see the first
    ``C / groups`` input channels, and so on.
    """

    tflite = "CONV_2D"
    kernels = {
        DType.INT8: ("conv_2d_s8",),
        DType.INT16: ("conv_2d_s16",),
        DType.FLOAT32: ("conv_2d_f32",),
    }

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check ranks, types and that the output has the computed shape."""
        x, filter_, bias = (*inputs, None, None, None)[:3]
        yield from weight_problems(
            x, filter_, bias, outputs[0], channel_axis=0, rounding=self.rounding
        )
        if x is None or filter_ is None:
            return
        yield from self.shape_problems(x, filter_, outputs[0], channel_axis=0)
        if len(x.shape) == 4 == len(filter_.shape) and (
            x.shape[3] % filter_.shape[3] or filter_.shape[0] % (x.shape[3] // filter_.shape[3])
        ):
            yield (
                f"filter {list(filter_.shape)} does not divide over groups of "
                f"{x.shape[3]} input channels"
            )

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """``N * out_h * out_w * O * filter_h * filter_w * C / groups``."""
        filter_ = inputs[1]
        assert filter_ is not None
        return outputs[0].elements * filter_.elements // filter_.shape[0]

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Multiply the patches of each group by its filters."""
        x, filter_ = inputs[0], inputs[1]
        assert x is not None and filter_ is not None and filter_.data is not None
        (call,) = self.lower(inputs, outputs)
        assert values[0] is not None
        patches = self.window(filter_).patches(centred(values[0], x), 0)
        weights = centred(filter_.data, filter_)
        groups = x.shape[3] // filter_.shape[3]
        sums = [
            matrix_sums(seen.reshape(*seen.shape[:3], -1), own.reshape(own.shape[0], -1))
            for seen, own in zip(
                np.split(patches, groups, axis=5), np.split(weights, groups), strict=True
            )
        ]
        return (finish(np.concatenate(sums, axis=3), call),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the type with the geometry as literals."""
        x, filter_, bias = (*inputs, None)[:3]
        out = outputs[0]
        assert x is not None and filter_ is not None
        params = {
            **self.sizes(x, filter_, out),
            **output_params(x, filter_, bias, out, self.activation, self.rounding),
            "output_c": out.shape[3],
            "filter_c": filter_.shape[3],
        }
        constants = packed_constants(x, filter_, bias, out, out.shape[3], self.rounding)
        return (KernelCall(self.kernels[x.dtype][0], params, (x,), outputs, constants),)
