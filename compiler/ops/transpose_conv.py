"""TRANSPOSE_CONV: each input sends a filter's worth of products to the output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import (
    Inputs,
    KernelCall,
    Operator,
    Options,
    wanted,
    wanted_shape,
)
from tinysim.compiler.ops._weights import (
    centred,
    finish,
    matrix_sums,
    output_params,
    packed_constants,
    weight_problems,
)
from tinysim.compiler.ops._window import Pads, Window


@dataclass(frozen=True)
class TransposeConv(Operator):
    """``sum[n,y*stride+i-top,x*stride+j-left,o] += filter[o,i,j,c] * in[n,y,x,c]``.

    Then ``out = clamp(requantize(bias + sum))``.

    Inputs: the output's shape, filter ``[O, H, W, C]``, input ``[N, H, W, C]``, bias ``[O]``;
    output ``[N, H, W, O]``. What lies outside the output is cut off; ``padding`` says how much
    above and left of it: as much as the convolution that goes the other way would pad.
    """

    tflite = "TRANSPOSE_CONV"
    kernels = {
        DType.INT8: ("transpose_conv_s8",),
        DType.INT16: ("transpose_conv_s16",),
        DType.FLOAT32: ("transpose_conv_f32",),
    }

    padding: str | Pads
    stride_h: int
    stride_w: int
    activation: str
    rounding: str = "double"

    @classmethod
    def from_tflite(cls, options: Options) -> TransposeConv:
        """Take padding, stride and fused activation."""
        return cls(
            options["Padding"],
            options["StrideH"],
            options["StrideW"],
            options["FusedActivationFunction"],
        )

    def window(self, filter_: Tensor) -> Window:
        """Return the window of the convolution that goes from output to input."""
        size = filter_.shape[1:3]
        return Window(size[0], size[1], self.stride_h, self.stride_w, 1, 1, self.padding)

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check ranks, types, channels and that the output has the shape that is asked for."""
        shape, filter_, x, bias = (*inputs, None, None, None, None)[:4]
        out = outputs[0]
        # One that is computed is not read: the output's own shape says it all.
        yield from wanted(shape, "output shape", DType.INT32)
        yield from weight_problems(
            x,
            filter_,
            bias,
            out,
            channel_axis=0,
            rounding=self.rounding,
            wide_biases=(DType.INT64, DType.INT16),
        )
        if shape is None or x is None or filter_ is None:
            return
        if shape.data is not None and tuple(shape.data.ravel().tolist()) != out.shape:
            yield f"output is {list(out.shape)}, {shape.data.ravel().tolist()[:8]} is asked for"
        if len(x.shape) != 4 or len(filter_.shape) != 4 or len(out.shape) != 4:
            yield f"input {list(x.shape)} and filter {list(filter_.shape)} must have 4 dimensions"
            return
        yield from self.window(filter_).problems()
        wanted_filter = (out.shape[3], *filter_.shape[1:3], x.shape[3])
        yield from wanted_shape(filter_, "filter", wanted_filter)
        if out.shape[0] != x.shape[0]:
            yield f"input has {x.shape[0]} batches, the output {out.shape[0]}"

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """``N * in_h * in_w * C * O * filter_h * filter_w``, with what is cut off."""
        filter_, x = inputs[1], inputs[2]
        assert filter_ is not None and x is not None
        return x.elements * filter_.elements // x.shape[3]

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Scatter, one filter position after the other.

        From the last one on: an output then meets the inputs in their order.
        """
        filter_, x = inputs[1], inputs[2]
        assert filter_ is not None and filter_.data is not None and x is not None
        (call,) = self.lower(inputs, outputs)
        assert values[2] is not None
        image, weights = centred(values[2], x), centred(filter_.data, filter_)
        n, h, w, o = outputs[0].shape
        top, left = self.window(filter_).pad(h, w)
        acc = np.zeros((n, h, w, o), image.dtype)
        for i in reversed(range(filter_.shape[1])):
            for j in reversed(range(filter_.shape[2])):
                to_y, from_y = _overlap(i - top, self.stride_h, x.shape[1], h)
                to_x, from_x = _overlap(j - left, self.stride_w, x.shape[2], w)
                target, source = acc[:, to_y, to_x], image[:, from_y, from_x]
                matrix_sums(source, weights[:, i, j], onto=target)
        return (finish(acc, call),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the type; each output gathers, so no scratch is needed."""
        _, filter_, x, bias = (*inputs, None)[:4]
        out = outputs[0]
        assert x is not None and filter_ is not None
        geometry = self.window(filter_).geometry(out.shape[1], out.shape[2])
        params = {
            "batches": x.shape[0],
            "input_h": x.shape[1],
            "input_w": x.shape[2],
            "input_c": x.shape[3],
            "output_h": out.shape[1],
            "output_w": out.shape[2],
            **{key: value for key, value in geometry.items() if "dilation" not in key},
            **output_params(x, filter_, bias, out, self.activation, self.rounding),
            "output_c": out.shape[3],
        }
        constants = packed_constants(x, filter_, bias, out, out.shape[3], self.rounding)
        return (KernelCall(self.kernels[x.dtype][0], params, (x,), outputs, constants),)


def _overlap(first: int, stride: int, sources: int, targets: int) -> tuple[slice, slice]:
    """Return which targets ``first + stride * source`` there are, and their sources."""
    begin = max(0, -(first // stride))
    end = max(begin, min(sources, (targets - 1 - first) // stride + 1))
    start = first + begin * stride
    return slice(start, start + (end - begin) * stride, stride), slice(begin, end)
