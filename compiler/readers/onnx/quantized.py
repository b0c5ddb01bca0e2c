"""Quantized operators: ONNX's own and ONNX Runtime's, with the arithmetic of its CPU kernels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tinysim.compiler.graph import Array, DType, Quant, Tensor
from tinysim.compiler.readers.onnx.elementwise import reduced_rows
from tinysim.compiler.readers.onnx.fold import AS_UNSIGNED
from tinysim.compiler.readers.onnx.image import convolution, from_nhwc, to_nhwc
from tinysim.compiler.readers.onnx.layer import Layer, Value, as_int8
from tinysim.compiler.readers.onnx.linear import product
from tinysim.compiler.readers.onnx.pool import pooled
from tinysim.compiler.readers.onnx.registry import MICROSOFT, reads
from tinysim.compiler.readers.onnx.shape import concatenated
from tinysim.compiler.readers.onnx.source import Refusal


def stated(layer: Layer, index: int, scale: int, zero_point: int) -> tuple[Tensor, bool]:
    """Return an input of bytes with the quantization that the node states for it."""
    quant, is_unsigned = layer.quant(scale, zero_point)
    value = layer.value(index)
    x = layer.x(index)
    from_file = value.unsigned or (x.data is not None and value.tensor.dtype is DType.UINT8)
    if x.dtype is not DType.INT8 or from_file != is_unsigned or len(quant.scale) != 1:
        raise Refusal(f"input {index} does not go with its scale and zero point")
    return replace(x, quant=quant), is_unsigned


def output_quant(layer: Layer, scale: int, zero_point: int) -> tuple[Quant, bool]:
    """Return the one scale and zero point of the output."""
    quant, is_unsigned = layer.quant(scale, zero_point)
    if len(quant.scale) != 1:
        raise Refusal("the output has several scales")
    return quant, is_unsigned


def weights_of(layer: Layer, index: int, channels_axis: int) -> tuple[Array, Quant]:
    """Return constant weights as bytes with a sign, and their quantization."""
    array = layer.array(index)
    quant, is_unsigned = layer.quant(index + 1, index + 2)
    if (array.dtype == np.uint8) != is_unsigned:
        raise Refusal("weights do not go with their zero point")
    data = as_int8(array)
    count = data.shape[channels_axis] if data.ndim > abs(channels_axis + 0.5) else 1
    if len(quant.scale) not in (1, count):
        raise Refusal(f"{len(quant.scale)} scales for {count} channels")
    return data, quant


def bias_of(layer: Layer, index: int, channels: int) -> Tensor | None:
    """Return a constant bias in steps of input scale times filter scale."""
    if not layer.has(index):
        return None
    array = layer.array(index)
    if array.dtype != np.int32 or array.size not in (1, channels):
        raise Refusal(f"bias {list(array.shape)} of {array.dtype}")
    return layer.constant(np.broadcast_to(array.ravel(), (channels,)))


@reads("QuantizeLinear")
def _quantize(layer: Layer) -> Value:
    x = layer.x()
    quant, is_unsigned = output_quant(layer, 1, 2)
    if x.dtype is not DType.FLOAT32:
        raise Refusal(f"input of {x.dtype.value}, float32 is quantized")
    y = layer.emit("QUANTIZE", (x,), x.shape, dtype=DType.INT8, quant=quant, rounding="even")
    return Value(y, is_unsigned)


@reads("DequantizeLinear")
def _dequantize(layer: Layer) -> Tensor:
    x, _ = stated(layer, 0, 1, 2)
    return layer.emit("DEQUANTIZE", (x,), x.shape, dtype=DType.FLOAT32)


@reads("QLinearConv")
def _conv(layer: Layer) -> Value:
    x, _ = stated(layer, 0, 1, 2)
    weights, filter_quant = weights_of(layer, 3, 0)
    quant, is_unsigned = output_quant(layer, 6, 7)
    bias = bias_of(layer, 8, weights.shape[0])
    return Value(convolution(layer, x, weights, bias, filter_quant, quant), is_unsigned)


@reads("QLinearMatMul")
def _mat_mul(layer: Layer) -> Value:
    x, _ = stated(layer, 0, 1, 2)
    quant, is_unsigned = output_quant(layer, 6, 7)
    weights, filter_quant = weights_of(layer, 3, -1)
    return Value(product(layer, x, weights, None, filter_quant, quant), is_unsigned)


@reads("QGemm", domain=MICROSOFT)
def _gemm(layer: Layer) -> Tensor | Value:
    x, _ = stated(layer, 0, 1, 2)
    if not layer.has(7):
        raise Refusal("a float32 output is not read")
    quant, is_unsigned = output_quant(layer, 7, 8)
    alpha = layer.attribute("alpha", 1.0)
    if len(x.shape) != 2 or alpha != 1:
        raise Refusal(f"input {list(x.shape)} with alpha {alpha:g}")
    x = layer.transpose(x, (1, 0)) if layer.attribute("transA", 0) else x
    is_turned = bool(layer.attribute("transB", 0))
    weights, filter_quant = weights_of(layer, 3, 0 if is_turned else 1)
    weights = weights.T if is_turned else weights
    bias = bias_of(layer, 6, weights.shape[-1])
    return Value(product(layer, x, weights, bias, filter_quant, quant), is_unsigned)


@reads("QLinearAdd", "QLinearMul", domain=MICROSOFT)
def _binary(layer: Layer) -> Value:
    """Compute in float32 as ONNX Runtime's kernels do."""
    a, is_unsigned = stated(layer, 0, 1, 2)
    b, _ = stated(layer, 3, 4, 5)
    quant, _ = output_quant(layer, 6, 7)
    options: dict[str, Any] = {"offset": _offset(layer, is_unsigned)}
    kind = "QLINEAR_MUL"
    if layer.node.kind == "QLinearAdd":
        kind = "QLINEAR_ADD"
        options |= {"is_swapped": _repeats_first(a.shape, b.shape)}
    dims = np.broadcast_shapes(a.shape, b.shape)
    y = layer.emit(kind, (a, b), dims, dtype=DType.INT8, quant=quant, **options)
    return Value(y, is_unsigned)


def _repeats_first(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Tell whether ONNX Runtime repeats one element of ``a`` along the innermost axis."""
    pairs = list(zip(reversed(a), reversed(b), strict=False))
    innermost = next((size for size, other in pairs if max(size, other) > 1), 1)
    if not pairs and a:
        innermost = a[-1]
    return innermost == 1 and a != b


@reads("QLinearAveragePool", domain=MICROSOFT)
def _average_pool(layer: Layer) -> Value:
    x, is_unsigned = stated(layer, 0, 1, 2)
    quant, _ = output_quant(layer, 3, 4)
    _refuse_channels_last(layer)
    y = pooled(layer, "QLINEAR_AVERAGE_POOL", x, quant, offset=_offset(layer, is_unsigned))
    return Value(y, is_unsigned)


def _offset(layer: Layer, is_unsigned: bool) -> int:
    """Return what bytes are more in ONNX Runtime than here."""
    return 128 if is_unsigned or AS_UNSIGNED in layer.node.attributes else 0


def _refuse_channels_last(layer: Layer) -> None:
    """Refuse the order of axes that only ONNX Runtime's own passes make."""
    if layer.attribute("channels_last", 0):
        raise Refusal("channels_last is not read")


@reads("QLinearGlobalAveragePool", domain=MICROSOFT)
def _global_average_pool(layer: Layer) -> Value:
    x, is_unsigned = stated(layer, 0, 1, 2)
    quant, _ = output_quant(layer, 3, 4)
    _refuse_channels_last(layer)
    image = to_nhwc(layer, x)
    dims = (image.shape[0], 1, 1, image.shape[3])
    y = layer.emit("QLINEAR_GLOBAL_AVERAGE_POOL", (image,), dims, dtype=DType.INT8, quant=quant)
    return Value(from_nhwc(layer, y, len(x.shape)), is_unsigned)


def table(x: Quant, y: Quant, function: str, alpha: float = 0.0) -> Array:
    """Return the output byte of each input byte, computed in float32."""
    steps = np.arange(-128, 128, dtype=np.int32) - x.zero_point[0]
    real = np.float32(x.scale[0]) * steps.astype(np.float32)
    with np.errstate(over="ignore"):
        if function == "sigmoid":
            real = (1 / (1 + np.exp(-real.astype(np.float64)))).astype(np.float32)
        elif function == "leaky":
            real = np.where(real >= 0, real, np.float32(alpha) * real).astype(np.float32)
        bytes_ = np.rint(real / np.float32(y.scale[0])) + y.zero_point[0]
    found: Array = np.clip(bytes_, -128, 127).astype(np.int8)
    return found


def looked_up(layer: Layer, x: Tensor, values: Array, quant: Quant) -> Tensor:
    """Replace each byte by another."""
    if (values == np.arange(-128, 128)).all():
        return replace(x, quant=quant)
    entries = layer.constant(values, "int8")
    return layer.emit("LOOKUP", (x, entries), x.shape, dtype=DType.INT8, quant=quant)


@reads("QLinearSigmoid", "QLinearLeakyRelu", domain=MICROSOFT)
def _unary(layer: Layer) -> Value:
    x, is_unsigned = stated(layer, 0, 1, 2)
    quant, _ = output_quant(layer, 3, 4)
    assert x.quant is not None
    if layer.node.kind == "QLinearSigmoid":
        values = table(x.quant, quant, "sigmoid")
    else:
        values = table(x.quant, quant, "leaky", layer.attribute("alpha", 0.01))
    return Value(looked_up(layer, x, values, quant), is_unsigned)


@reads("QLinearConcat", domain=MICROSOFT)
def _concat(layer: Layer) -> Value:
    """Give every part the output's quantization, then lay them one behind the other."""
    quant, is_unsigned = output_quant(layer, 0, 1)
    if len(layer.node.inputs) < 5 or (len(layer.node.inputs) - 2) % 3:
        raise Refusal(f"{len(layer.node.inputs)} inputs")
    parts = []
    for index in range(2, len(layer.node.inputs), 3):
        x, _ = stated(layer, index, index + 1, index + 2)
        assert x.quant is not None
        values = table(x.quant, quant, "requantize")
        if x.data is None:
            parts.append(looked_up(layer, x, values, quant))
        else:
            moved = values[x.data.astype(np.int16) + 128]
            parts.append(layer.constant(moved, "int8", quant))
    like = next((part for part in parts if part.data is None), parts[0])
    return Value(concatenated(layer, parts, like), is_unsigned)


@reads("QLinearSoftmax", domain=MICROSOFT)
def _softmax(layer: Layer) -> Value:
    """Reduce one axis; before set 13 all from ``axis`` on as one."""
    x, is_unsigned = stated(layer, 0, 1, 2)
    quant, _ = output_quant(layer, 3, 4)
    y = reduced_rows(
        layer,
        x,
        layer.attribute("opset", 13),
        lambda rows: layer.emit(
            "QLINEAR_SOFTMAX", (rows,), rows.shape, dtype=DType.INT8, quant=quant
        ),
    )
    return Value(y, is_unsigned)
