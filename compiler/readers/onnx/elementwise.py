"""Operators that compute each number by itself, or two tensors number by number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinysim.compiler.graph import DType, Tensor
from tinysim.compiler.readers.onnx.image import from_nhwc, to_nhwc
from tinysim.compiler.readers.onnx.layer import Layer
from tinysim.compiler.readers.onnx.registry import reads
from tinysim.compiler.readers.onnx.source import Refusal

#: ONNX operators that are one of TFLite's, without attributes.
UNARY = {
    "Abs": "ABS",
    "Ceil": "CEIL",
    "Cos": "COS",
    "Exp": "EXP",
    "Floor": "FLOOR",
    "HardSwish": "HARD_SWISH",
    "Log": "LOG",
    "Neg": "NEG",
    "Relu": "RELU",
    "Round": "ROUND",
    "Sigmoid": "LOGISTIC",
    "Sin": "SIN",
    "Sqrt": "SQRT",
    "Tanh": "TANH",
}
BINARY = {"Add": "ADD", "Sub": "SUB", "Mul": "MUL", "Div": "DIV"}
EXTREME = {"Min": "MINIMUM", "Max": "MAXIMUM"}


def real(layer: Layer, index: int = 0) -> Tensor:
    """Return an input that must be float32."""
    x = layer.x(index)
    if x.dtype is not DType.FLOAT32:
        raise Refusal(f"input {index} is {x.dtype.value}, float32 is computed")
    return x


def unary(layer: Layer, kind: str, x: Tensor, **options: Any) -> Tensor:
    """Append an operator of one tensor."""
    return layer.emit(kind, (x,), x.shape, **options)


def binary(layer: Layer, kind: str, a: Tensor, b: Tensor) -> Tensor:
    """Append an operator of two tensors that spread over each other."""
    options: dict[str, Any] = {"activation": "NONE"} if kind in BINARY.values() else {}
    return layer.emit(kind, (a, b), np.broadcast_shapes(a.shape, b.shape), **options)


def with_number(layer: Layer, kind: str, x: Tensor, value: float) -> Tensor:
    """Append an operator of a tensor and one number."""
    return binary(layer, kind, x, layer.constant([value], "float32"))


@reads(*UNARY)
def _unary(layer: Layer) -> Tensor:
    return unary(layer, UNARY[layer.node.kind], real(layer))


@reads(*BINARY)
def _binary(layer: Layer) -> Tensor:
    return binary(layer, BINARY[layer.node.kind], real(layer), real(layer, 1))


@reads(*EXTREME)
def _extreme(layer: Layer) -> Tensor:
    total = real(layer)
    for index in range(1, len(layer.node.inputs)):
        total = binary(layer, EXTREME[layer.node.kind], total, real(layer, index))
    return total


@reads("Clip")
def _clip(layer: Layer) -> Tensor:
    x = real(layer)
    if layer.opset >= 11:
        low, high = layer.scalar(1, -math.inf), layer.scalar(2, math.inf)
    else:
        low, high = layer.attribute("min", -math.inf), layer.attribute("max", math.inf)
    return clipped(layer, x, low, high)


def clipped(layer: Layer, x: Tensor, low: float, high: float) -> Tensor:
    """Limit a tensor, with TFLite's own operators where it has them."""
    known = {(0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1"}
    largest = float(np.finfo(np.float32).max)
    if math.isnan(low) or math.isnan(high):
        raise Refusal("a limit is not a number")
    if low == 0 and high >= largest:
        return unary(layer, "RELU", x)
    if (low, high) in known:
        return unary(layer, known[low, high], x)
    if low > -largest:
        x = with_number(layer, "MAXIMUM", x, low)
    return with_number(layer, "MINIMUM", x, high) if high < largest else x


@reads("LeakyRelu")
def _leaky_relu(layer: Layer) -> Tensor:
    return unary(layer, "LEAKY_RELU", real(layer), alpha=layer.attribute("alpha", 0.01))


@reads("Elu")
def _elu(layer: Layer) -> Tensor:
    if layer.attribute("alpha", 1.0) != 1:
        raise Refusal("an alpha other than 1 has no kernel")
    return unary(layer, "ELU", real(layer))


@reads("HardSigmoid")
def _hard_sigmoid(layer: Layer) -> Tensor:
    """``max(0, min(1, alpha * x + beta))``."""
    scaled = with_number(layer, "MUL", real(layer), layer.attribute("alpha", 0.2))
    moved = with_number(layer, "ADD", scaled, layer.attribute("beta", 0.5))
    return clipped(layer, moved, 0.0, 1.0)


@reads("PRelu")
def _prelu(layer: Layer) -> Tensor:
    """Spread the slope over the channels, which ONNX has in front."""
    x, slope = real(layer), real(layer, 1)
    if len(x.shape) != 4 or slope.elements == 1:
        return layer.emit("PRELU", (x, slope), x.shape)
    slope = layer.reshape(slope, (1,) * (4 - len(slope.shape)) + slope.shape)
    moved, alpha = to_nhwc(layer, x), layer.transpose(slope, (0, 2, 3, 1))
    alpha = layer.reshape(alpha, alpha.shape[1:])
    return from_nhwc(layer, layer.emit("PRELU", (moved, alpha), moved.shape), 4)


@reads("Pow")
def _pow(layer: Layer) -> Tensor:
    """Take the exponents that need no logarithm."""
    x = real(layer)
    if not layer.is_constant(1) or layer.array(1).size != 1:
        raise Refusal("an exponent that is not one constant number has no kernel")
    exponent = float(layer.array(1).ravel()[0])
    if exponent == 2:
        return binary(layer, "MUL", x, x)
    if exponent == 0.5:
        return unary(layer, "SQRT", x)
    if exponent == 1:
        return x
    raise Refusal(f"exponent {exponent:g} has no kernel, 0.5, 1 and 2 have")


@reads("Reciprocal")
def _reciprocal(layer: Layer) -> Tensor:
    return binary(layer, "DIV", layer.constant([1.0], "float32"), real(layer))


@reads("Cast")
def _cast(layer: Layer) -> Tensor:
    """Pass what has the type already."""
    x = layer.x()
    if x.dtype is DType.FLOAT32 and layer.attribute("to", 0) == 1:
        return x
    raise Refusal("a cast of what is computed at run time has no kernel")


@reads("BatchNormalization")
def _batch_normalization(layer: Layer) -> Tensor:
    """``x * factor + offset`` of each channel, the statistics being constant."""
    if layer.attribute("training_mode", 0) or not layer.attribute("spatial", 1):
        raise Refusal("training mode")
    x = real(layer)
    scale, bias, mean, variance = (layer.array(index) for index in range(1, 5))
    if len(x.shape) < 2 or any(
        one.shape != x.shape[1:2] or one.dtype != np.float32
        for one in (scale, bias, mean, variance)
    ):
        raise Refusal("statistics that do not go with the channels")
    deviation = np.sqrt(variance + np.float32(layer.attribute("epsilon", 1e-5)))
    factor = scale / deviation
    offset = bias - mean * factor
    if not (np.isfinite(factor).all() and np.isfinite(offset).all()):
        raise Refusal("statistics that are not finite")
    is_image = len(x.shape) in (3, 4)
    inner = to_nhwc(layer, x) if is_image else x
    if not is_image:
        factor, offset = (one.reshape(-1, *(1,) * (len(x.shape) - 2)) for one in (factor, offset))
    scaled = binary(layer, "MUL", inner, layer.constant(factor, "float32"))
    moved = binary(layer, "ADD", scaled, layer.constant(offset, "float32"))
    return from_nhwc(layer, moved, len(x.shape)) if is_image else moved


@reads("Softmax", "LogSoftmax")
def _softmax(layer: Layer) -> Tensor:
    """Reduce one axis; before set 13 all from ``axis`` on as one."""
    x = real(layer)
    kind = "SOFTMAX" if layer.node.kind == "Softmax" else "LOG_SOFTMAX"
    options: dict[str, Any] = {"beta": 1.0} if kind == "SOFTMAX" else {}
    return reduced_rows(
        layer, x, layer.opset, lambda rows: layer.emit(kind, (rows,), rows.shape, **options)
    )


def reduced_rows(
    layer: Layer, x: Tensor, opset: int, function: Callable[[Tensor], Tensor]
) -> Tensor:
    """Apply a function of rows along ``axis``, or before set 13 along all axes from it on."""
    rank = len(x.shape)
    if opset < 13:
        axis = layer.axis("axis", 1, rank)
        rows = (math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))
        return layer.reshape(function(layer.reshape(x, rows)), x.shape)
    axis = layer.axis("axis", -1, rank)
    perm = [*(place for place in range(rank) if place != axis), axis]
    return layer.transpose(function(layer.transpose(x, perm)), np.argsort(perm).tolist())
