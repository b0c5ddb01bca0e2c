"""What the operators with weights share: checks, multipliers, sums and what becomes of them.

They compute in one of three ways, by the type of the input. int8 sums in 32 bits and requantizes
each channel. int16 has int8 weights and no zero points; it sums in 64 bits, or in 32 with an int32
bias. float32 adds one product after the other, in the order of TFLite's reference kernels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import (
    CHANNEL,
    Inputs,
    KernelCall,
    Operator,
    Options,
    Overlap,
    wanted,
    wanted_constant,
    wanted_quant,
    wanted_ratio,
    wanted_shape,
)
from tinysim.compiler.ops._overlap import window_overlap
from tinysim.compiler.ops._window import Pads, Window
from tinysim.compiler.quantize import (
    ROUNDINGS,
    activation_range,
    float_activation_range,
    quantize_multiplier,
    reduced_multiplier,
    requantize,
    requantize_as,
    requantize_wide,
    wrap_int32,
)

#: Largest ratio of scales that 64-bit requantization can express (a left shift of 7).
MAX_WIDE_RATIO = 2.0**7
ANY_BIAS = (DType.INT64, DType.INT32)


def weight_problems(
    x: Tensor | None,
    filter_: Tensor | None,
    bias: Tensor | None,
    out: Tensor,
    *,
    channel_axis: int,
    rounding: str,
    wide_biases: tuple[DType, ...] = ANY_BIAS,
) -> Iterator[str]:
    """Yield what keeps input, filter, bias and output from the kernels.

    ``wide_biases`` are the types that the bias may have beside an int16 input.
    """
    yield from wanted(x, "input", DType.INT8, DType.INT16, DType.FLOAT32)
    yield from wanted_constant(filter_, "filter")
    yield from wanted_constant(bias, "bias")
    if filter_ is None:
        yield "filter is missing"
    if x is None or filter_ is None:
        return
    is_float = x.dtype is DType.FLOAT32
    yield from wanted(filter_, "filter", DType.FLOAT32 if is_float else DType.INT8)
    yield from wanted(out, "output", x.dtype)
    channels = filter_.shape[channel_axis] if len(filter_.shape) > channel_axis else 0
    if bias is not None:
        narrow = DType.FLOAT32 if is_float else DType.INT32
        yield from wanted(bias, "bias", *(wide_biases if x.dtype is DType.INT16 else (narrow,)))
        yield from wanted_shape(bias, "bias", (channels,))
    if is_float:
        # Where the padding lies nothing is added; the reference adds 0 * filter.
        if filter_.data is not None and not np.isfinite(filter_.data).all():
            yield "filter holds values that are not finite"
        return
    if rounding not in ROUNDINGS or (rounding != "double" and x.dtype is DType.INT16):
        yield f"rounding {rounding} has no kernel of {x.dtype.value}"
        return
    yield from _quant_problems(x, filter_, bias, out, channels, rounding)


def _quant_problems(
    x: Tensor, filter_: Tensor, bias: Tensor | None, out: Tensor, channels: int, rounding: str
) -> Iterator[str]:
    """Yield what scales and zero points no integer kernel takes."""
    yield from wanted_quant(x, "input")
    yield from wanted_quant(out, "output")
    if filter_.quant is None:
        yield "filter has no quantization"
        return
    if len(filter_.quant.scale) not in (1, channels):
        yield f"filter has {len(filter_.quant.scale)} scales for {channels} channels"
    if len(set(filter_.quant.zero_point)) != 1:
        yield "filter has several zero points, the kernels take one"
    if x.quant is None or out.quant is None:
        return
    zero_points = (*x.quant.zero_point, *filter_.quant.zero_point, *out.quant.zero_point)
    if x.dtype is DType.INT16 and any(zero_points):
        yield "a zero point is not 0, the int16 kernels take symmetric tensors"
    is_wide = x.dtype is DType.INT16 and _accumulator_bits(bias) == 64
    largest = max(multipliers(x, filter_, out, rounding))
    limits = (MAX_WIDE_RATIO,) if is_wide else ()
    yield from wanted_ratio(largest, "input scale * filter scale over output scale", *limits)


def multipliers(x: Tensor, filter_: Tensor, out: Tensor, rounding: str) -> list[float]:
    """Return ``input_scale * filter_scale / output_scale`` for each scale of the filter.

    In double, as TFLite; in single precision if ``rounding`` is ``float``, as ONNX Runtime.
    """
    assert filter_.quant is not None
    if rounding != "float":
        return [x.scale * scale / out.scale for scale in filter_.quant.scale]
    with np.errstate(over="ignore", under="ignore"):
        scales = np.array(filter_.quant.scale, np.float32)
        real = np.float32(x.scale) * scales / np.float32(out.scale)
    return [float(value) for value in real]


def _accumulator_bits(bias: Tensor | None) -> int:
    """Return what an int16 kernel sums in."""
    return 32 if bias is not None and bias.dtype is DType.INT32 else 64


def packed_constants(
    x: Tensor, filter_: Tensor, bias: Tensor | None, out: Tensor, channels: int, rounding: str
) -> tuple[Array, ...]:
    """Return filter, bias and requantization as the kernels take them.

    int8: ``ts_channel`` rows. int16: bias in 64 bits, and multiplier and shift in pairs.
    float32: bias.
    """
    assert filter_.data is not None
    data = np.zeros(channels, np.int64)
    if bias is not None:
        assert bias.data is not None
        data = bias.data
    if x.dtype is DType.FLOAT32:
        return filter_.data, data.astype(np.float32)
    split = [quantize_multiplier(real) for real in multipliers(x, filter_, out, rounding)]
    if rounding == "single":
        # Rounding up may have raised the shift by one, further than this rounding goes.
        split = [(m, s) if s <= 30 else (2**31 - 1, 30) for m, s in split]
    if x.dtype is DType.INT16:
        if _accumulator_bits(bias) == 64:
            split = [(reduced_multiplier(multiplier), shift) for multiplier, shift in split]
        scaling = np.empty((channels, 2), np.int32)
        scaling[:] = split
        return filter_.data, data.astype(np.int64), scaling
    table = np.zeros(channels, CHANNEL)
    table["bias"] = data
    table["multiplier"] = [multiplier for multiplier, _ in split]
    table["shift"] = [shift for _, shift in split]
    return filter_.data, table


def output_params(
    x: Tensor, filter_: Tensor, bias: Tensor | None, out: Tensor, activation: str, rounding: str
) -> dict[str, int | float]:
    """Return the kernel parameters that say how sums become outputs."""
    if x.dtype is DType.FLOAT32:
        least, most = float_activation_range(activation)
        return {"activation_min": least, "activation_max": most}
    bits = 8 * x.dtype.itemsize
    low, high = activation_range(activation, out.scale, out.zero_point, bits)
    limits = {"activation_min": low, "activation_max": high}
    if x.dtype is DType.INT16:
        return {"accumulator_bits": _accumulator_bits(bias), **limits}
    return {
        "input_offset": -x.zero_point,
        "filter_offset": -filter_.zero_point,
        "output_offset": out.zero_point,
        "rounding": ROUNDINGS[rounding],
        **limits,
    }


def centred(values: Array, tensor: Tensor) -> Array:
    """Return the values less the zero point: in double, which sums them exactly, or as floats."""
    if tensor.dtype is DType.FLOAT32:
        return values
    return values.astype(np.float64) - tensor.zero_point


def matrix_sums(rows: Array, weights: Array, onto: Array | None = None) -> Array:
    """Return ``rows [..., K]`` times ``weights [O, K]``, added to what ``onto`` holds.

    Floats are added in order and rounded at every step.
    """
    acc: Array = (
        onto if onto is not None else np.zeros((*rows.shape[:-1], weights.shape[0]), rows.dtype)
    )
    if rows.dtype != np.float32:
        acc += rows @ weights.T
        return acc
    with np.errstate(all="ignore"):
        for k in range(weights.shape[1]):
            acc += rows[..., k, None] * weights[:, k]
    return acc


def finish(acc: Array, call: KernelCall) -> Array:
    """Return what the kernel of ``call`` makes of its sums ``acc [..., C]``."""
    low, high = call.params["activation_min"], call.params["activation_max"]
    dtype = np.dtype(call.outputs[0].dtype.value)
    if dtype == np.float32:
        with np.errstate(all="ignore"):
            floats: Array = np.clip(acc + call.constants[1], np.float32(low), np.float32(high))
        return floats
    if dtype == np.int16:
        scaling = call.constants[2]
        total = acc.astype(np.int64) + call.constants[1]
        if call.params["accumulator_bits"] == 32:
            scaled = requantize(wrap_int32(total), scaling[:, 0], scaling[:, 1])
        else:
            scaled = requantize_wide(total, scaling[:, 0], scaling[:, 1])
    else:
        channels = call.constants[1]
        total = wrap_int32(acc.astype(np.int64) + channels["bias"])
        rounding = int(call.params["rounding"])
        scaled = requantize_as(total, channels["multiplier"], channels["shift"], rounding)
        scaled += int(call.params["output_offset"])
    clamped: Array = np.clip(scaled, low, high).astype(dtype)
    return clamped


def output_range(
    op: Operator, inputs: Inputs, outputs: tuple[Tensor, ...], least: Array, most: Array
) -> tuple[Array, Array]:
    """Return the least and the largest int8 that come of sums between ``least`` and ``most``."""
    (call,) = op.lower(inputs, outputs)
    bias = call.constants[1]["bias"].astype(np.int64)
    raised = 2.0 ** np.maximum(call.constants[1]["shift"], 0)
    if (raised * np.maximum(np.abs(least + bias), np.abs(most + bias)) >= 2**31).any():
        return np.full(len(bias), -128), np.full(len(bias), 127)  # sums may wrap
    low, high = (finish(ends, call).astype(np.int64) for ends in (least, most))
    return low, high


@dataclass(frozen=True)
class SlidingFilter(Operator):
    """The attributes of a convolution whose filter is ``[.., H, W, ..]`` on axes 1 and 2."""

    padding: str | Pads
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    activation: str
    rounding: str = "double"

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

    def overlaps(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Mapping[int, Overlap]:
        """Let the output lie over rows that no window needs any more; in either direction."""
        x, filter_ = inputs[:2]
        assert x is not None and filter_ is not None
        rule = window_overlap(self.window(filter_), x, outputs[0])
        return {} if rule is None else {0: rule}

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

    def shape_problems(
        self, x: Tensor, filter_: Tensor, out: Tensor, channel_axis: int
    ) -> Iterator[str]:
        """Yield what of ranks and sizes does not go together, whatever the channels are."""
        if len(x.shape) != 4 or len(filter_.shape) != 4:
            yield f"input {list(x.shape)} and filter {list(filter_.shape)} must have 4 dimensions"
            return
        window = self.window(filter_)
        if found := list(window.problems()):
            yield from found
            return
        size = window.output_size(x.shape[1], x.shape[2])
        shape = (x.shape[0], *size, filter_.shape[channel_axis])
        yield from wanted_shape(out, "output", shape)

    def sizes(self, x: Tensor, filter_: Tensor, out: Tensor) -> dict[str, int | float]:
        """Return the kernel parameters that all convolutions have."""
        return {
            "batches": x.shape[0],
            "input_h": x.shape[1],
            "input_w": x.shape[2],
            "input_c": x.shape[3],
            "output_h": out.shape[1],
            "output_w": out.shape[2],
            **self.window(filter_).geometry(x.shape[1], x.shape[2]),
            "is_backward": 0,
        }
