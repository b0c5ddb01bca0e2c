"""What the operators with int8 weights share: checks, multipliers, accumulate-and-requantize."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import (
    CHANNEL,
    Operator,
    Options,
    wanted,
    wanted_constant,
    wanted_quant,
    wanted_ratio,
    wanted_shape,
)
from tinysim.compiler.ops._window import Window
from tinysim.compiler.quantize import (
    activation_range,
    quantize_multiplier,
    requantize,
    wrap_int32,
)


def weight_problems(
    x: Tensor | None,
    filter_: Tensor | None,
    bias: Tensor | None,
    out: Tensor,
    channel_axis: int,
) -> Iterator[str]:
    """Yield what keeps input, filter, bias and output from the int8 kernels."""
    yield from wanted(x, "input", DType.INT8)
    yield from wanted(filter_, "filter", DType.INT8)
    yield from wanted(out, "output", DType.INT8)
    yield from wanted_quant(x, "input")
    yield from wanted_quant(out, "output")
    yield from wanted_constant(filter_, "filter")
    if x is None or filter_ is None:
        return
    if filter_.quant is None:
        yield "filter has no quantization"
        return
    channels = filter_.shape[channel_axis] if len(filter_.shape) > channel_axis else 0
    if len(filter_.quant.scale) not in (1, channels):
        yield f"filter has {len(filter_.quant.scale)} scales for {channels} channels"
    if any(filter_.quant.zero_point):
        yield "filter has a zero point, the int8 kernels take symmetric weights"
    if x.quant is not None and out.quant is not None:
        largest = x.scale * max(filter_.quant.scale) / out.scale
        yield from wanted_ratio(largest, "input scale * filter scale over output scale")
    if bias is not None:
        yield from wanted(bias, "bias", DType.INT32)
        yield from wanted_constant(bias, "bias")
        yield from wanted_shape(bias, "bias", (channels,))


def per_channel_multipliers(x: Tensor, filter_: Tensor, out: Tensor, channels: int) -> list[float]:
    """Return ``input_scale * filter_scale / output_scale`` of each channel, in double."""
    assert filter_.quant is not None
    scales = filter_.quant.scale
    if len(scales) == 1:
        scales = scales * channels
    return [x.scale * scale / out.scale for scale in scales]


def channel_table(bias: Tensor | None, multipliers: list[float]) -> Array:
    """Return bias, multiplier and shift of each channel, as ``ts_channel`` rows."""
    table = np.zeros(len(multipliers), CHANNEL)
    if bias is not None:
        assert bias.data is not None
        table["bias"] = bias.data
    split = [quantize_multiplier(real) for real in multipliers]
    table["multiplier"] = [multiplier for multiplier, _ in split]
    table["shift"] = [shift for _, shift in split]
    return table


def scale_and_clamp(acc: Array, channels: Array, out: Tensor, low: int, high: int) -> Array:
    """Add the bias to ``acc [..., C]``, requantize and clamp to int8."""
    total = wrap_int32(acc.astype(np.int64) + channels["bias"])
    scaled = requantize(total, channels["multiplier"], channels["shift"]) + out.zero_point
    clamped: Array = np.clip(scaled, low, high).astype(np.int8)
    return clamped


@dataclass(frozen=True)
class SlidingFilter(Operator):
    """The attributes of a convolution whose filter is ``[.., H, W, ..]`` on axes 1 and 2."""

    padding: str
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    activation: str

    @classmethod
    def from_tflite(cls, options: Options) -> Self:
        """Take padding, stride, dilation and fused activation."""
        return cls(
            options["Padding"],
            options["StrideH"],
            options["StrideW"],
            options["DilationHFactor"],
            options["DilationWFactor"],
            options["FusedActivationFunction"],
        )

    def window(self, filter_: Tensor) -> Window:
        """Return the geometry of the filter's window."""
        return Window(
            filter_.shape[1],
            filter_.shape[2],
            self.stride_h,
            self.stride_w,
            self.dilation_h,
            self.dilation_w,
            self.padding,
        )

    def shared_params(self, x: Tensor, filter_: Tensor, out: Tensor) -> dict[str, int]:
        """Return the kernel parameters that all convolutions have."""
        low, high = activation_range(self.activation, out.scale, out.zero_point)
        return {
            "batches": x.shape[0],
            "input_h": x.shape[1],
            "input_w": x.shape[2],
            "input_c": x.shape[3],
            "output_h": out.shape[1],
            "output_w": out.shape[2],
            **self.window(filter_).geometry(x.shape[1], x.shape[2]),
            "input_offset": -x.zero_point,
            "output_offset": out.zero_point,
            "activation_min": low,
            "activation_max": high,
        }
