"""SVDF: a filter over features, then one over time, whose memory is kept between inferences."""

from __future__ import annotations

import math
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
    wanted_constant,
    wanted_quant,
    wanted_ratio,
    wanted_shape,
)
from tinysim.compiler.quantize import quantize_multiplier, requantize, wrap_int32

_FLOAT_RANGES = {
    "NONE": (-math.inf, math.inf),
    "RELU": (0.0, math.inf),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}


@dataclass(frozen=True)
class Svdf(Operator):
    """``out[b, u] = activation(bias[u] + sum_r sum_m time[f, m] * state[b, f, m])``.

    With ``f = u * rank + r``; before, ``state`` moves one step in ``m`` and takes
    ``sum_i feature[f, i] * in[b, i]`` as its newest value. Shapes: input ``[B, I]``, feature
    ``[F, I]``, time ``[F, M]``, bias ``[F / rank]``, state ``[B, F * M]``, output
    ``[B, F / rank]``. Integers ignore the activation, as TFLM does: the output's range is it.
    """

    tflite = "SVDF"
    kernels = {DType.INT8: ("svdf_s8", "svdf_s8_s16"), DType.FLOAT32: ("svdf_f32",)}
    state_inputs = (4,)

    rank: int
    activation: str

    @classmethod
    def from_tflite(cls, options: Options) -> Svdf:
        """Take the rank and the fused activation."""
        return cls(options["Rank"], options["FusedActivationFunction"])

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shapes and quantization."""
        if len(inputs) != 5:
            yield f"has {len(inputs)} inputs, expected 5"
            return
        x, feature, time, bias, state = inputs
        if x is None or feature is None or time is None or state is None:
            yield "input, filters or state are missing"
            return
        out = outputs[0]
        is_float = x.dtype is DType.FLOAT32
        yield from wanted(x, "input", DType.INT8, DType.FLOAT32)
        yield from wanted(feature, "feature filter", x.dtype)
        yield from wanted(time, "time filter", *((x.dtype,) if is_float else _MEMORIES))
        yield from wanted(state, "state", time.dtype)
        yield from wanted(out, "output", x.dtype)
        for tensor, role in ((feature, "feature filter"), (time, "time filter"), (bias, "bias")):
            yield from wanted_constant(tensor, role)
        yield from self._shape_problems(x, feature, time, state, out)
        if bias is not None:
            yield from wanted(bias, "bias", DType.FLOAT32 if is_float else DType.INT32)
            yield from wanted_shape(bias, "bias", out.shape[1:])
        if not is_float:
            yield from _quant_problems(x, feature, time, state, out)

    def _shape_problems(
        self, x: Tensor, feature: Tensor, time: Tensor, state: Tensor, out: Tensor
    ) -> Iterator[str]:
        if any(len(tensor.shape) != 2 for tensor in (x, feature, time, state, out)):
            yield "input, filters, state and output must have 2 dimensions"
            return
        batches, filters = x.shape[0], feature.shape[0]
        if self.rank < 1 or filters % self.rank:
            yield f"{filters} filters do not go with rank {self.rank}"
            return
        yield from wanted_shape(feature, "feature filter", (filters, x.shape[1]))
        yield from wanted_shape(time, "time filter", (filters, time.shape[1]))
        yield from wanted_shape(state, "state", (batches, filters * time.shape[1]))
        yield from wanted_shape(out, "output", (batches, filters // self.rank))

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """``B * F * (I + M)``."""
        x, feature, time = inputs[:3]
        assert x is not None and feature is not None and time is not None
        return x.shape[0] * feature.shape[0] * (feature.shape[1] + time.shape[1])

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Move the state on, then multiply, all in TFLM's order."""
        x, feature, time, bias, state = values
        assert x is not None and feature is not None and time is not None and state is not None
        params = self.lower(inputs, outputs)[0].params
        kept = state.reshape(x.shape[0], *time.shape)[:, :, 1:]
        units = (x.shape[0], -1, self.rank)
        if x.dtype == np.float32:
            with np.errstate(all="ignore"):
                newest = _sum(x[:, None, :] * feature)
                memory = np.concatenate([kept, newest[:, :, None]], axis=2)
                parts = _sum(memory * time).reshape(units)
                start = np.zeros((1, 1), np.float32) if bias is None else bias[None, :]
                start = np.broadcast_to(start, parts.shape[:2])[:, :, None]
                y = _sum(np.concatenate([start, parts], axis=2))
            y = np.clip(y, params["activation_min"], params["activation_max"])
            return y.astype(np.float32), memory.reshape(state.shape)
        p = {key: int(value) for key, value in params.items()}
        dot = wrap_int32((x.astype(np.int64) + p["input_offset"]) @ feature.T.astype(np.int64))
        limits = np.iinfo(state.dtype)
        scaled = requantize(dot, p["state_multiplier"], p["state_shift"])
        newest = np.clip(scaled, limits.min, limits.max) + p["state_zero_point"]
        memory = np.concatenate([kept, newest.astype(state.dtype)[:, :, None]], axis=2)
        products = (memory.astype(np.int64) - p["state_zero_point"]) * time
        acc = products.sum(axis=2).reshape(units).sum(axis=2)
        acc = wrap_int32(acc if bias is None else acc + bias)
        y = requantize(acc, p["output_multiplier"], p["output_shift"]) + p["output_offset"]
        return np.clip(y, -128, 127).astype(np.int8), memory.reshape(state.shape)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the input's and the state's type; the state is the last output."""
        x, feature, time, bias, state = inputs
        assert x is not None and feature is not None and time is not None and state is not None
        assert feature.data is not None and time.data is not None
        params: dict[str, int | float] = {
            "batches": x.shape[0],
            "in_features": x.shape[1],
            "units": feature.shape[0] // self.rank,
            "rank": self.rank,
            "memory": time.shape[1],
        }
        kernel = {DType.FLOAT32: "svdf_f32", DType.INT8: "svdf_s8"}.get(time.dtype, "svdf_s8_s16")
        if x.dtype is DType.FLOAT32:
            low, high = _FLOAT_RANGES[self.activation]
            params |= {"activation_min": low, "activation_max": high}
        else:
            params |= _quant_params(x, feature, time, state, outputs[0])
        none = np.zeros(outputs[0].shape[1], "int32" if kernel != "svdf_f32" else "float32")
        first = none if bias is None or bias.data is None else bias.data
        constants = (feature.data, time.data, first)
        return (KernelCall(kernel, params, (x,), (outputs[0], state), constants),)


#: What time filter and state of an int8 SVDF may be.
_MEMORIES = (DType.INT8, DType.INT16)


def _quant_problems(
    x: Tensor, feature: Tensor, time: Tensor, state: Tensor, out: Tensor
) -> Iterator[str]:
    roles = ("input", "feature filter", "time filter", "state", "output")
    tensors = (x, feature, time, state, out)
    for tensor, role in zip(tensors, roles, strict=True):
        yield from wanted_quant(tensor, role)
    if any(tensor.quant is None for tensor in tensors):
        return
    if feature.zero_point or time.zero_point:
        yield "a filter has a zero point, the kernels take symmetric weights"
    if state.dtype is DType.INT16 and state.zero_point:
        yield "an int16 state has a zero point"
    to_state, to_output = _ratios(x, feature, time, state, out)
    yield from wanted_ratio(to_state, "input scale * feature scale over state scale")
    yield from wanted_ratio(to_output, "state scale * time scale over output scale")


def _ratios(
    x: Tensor, feature: Tensor, time: Tensor, state: Tensor, out: Tensor
) -> tuple[float, float]:
    """Return the real multipliers, computed in single precision as TFLM does."""
    with np.errstate(all="ignore"):
        to_state = np.float32(x.scale) * np.float32(feature.scale) / np.float32(state.scale)
        to_output = np.float32(state.scale) * np.float32(time.scale) / np.float32(out.scale)
    return float(to_state), float(to_output)


def _quant_params(
    x: Tensor, feature: Tensor, time: Tensor, state: Tensor, out: Tensor
) -> dict[str, int]:
    to_state, to_output = _ratios(x, feature, time, state, out)
    state_multiplier, state_shift = quantize_multiplier(to_state)
    output_multiplier, output_shift = quantize_multiplier(to_output)
    return {
        "input_offset": -x.zero_point,
        "state_zero_point": state.zero_point,
        "state_multiplier": state_multiplier,
        "state_shift": state_shift,
        "output_offset": out.zero_point,
        "output_multiplier": output_multiplier,
        "output_shift": output_shift,
    }


def _sum(terms: Array) -> Array:
    """Add along the last axis, one after another in single precision."""
    total: Array = np.cumsum(terms, axis=-1, dtype=np.float32)[..., -1]
    return total
