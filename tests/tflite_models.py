"""TFLite models made in memory: a general builder, and one function an operator.

``build_model`` writes what it is told, sound or not: the reader's tests need both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import flatbuffers
import numpy as np
import tflite
from flatbuffers import flexbuffers
from numpy.typing import NDArray

Array = NDArray[Any]
Pair = tuple[int, int]

#: Option tables that are not named like their operator.
OPTION_TABLES = {
    "BATCH_MATMUL": "BatchMatMulOptions",
    "L2_NORMALIZATION": "L2NormOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "SUM": "ReducerOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "REDUCE_ALL": "ReducerOptions",
    "REDUCE_ANY": "ReducerOptions",
    "SPACE_TO_BATCH_ND": "SpaceToBatchNDOptions",
    "BATCH_TO_SPACE_ND": "BatchToSpaceNDOptions",
    "REVERSE_V2": "ReverseV2Options",
    "SVDF": "SVDFOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
}

#: Option fields whose values may be given by name.
OPTION_ENUMS = {
    "Padding": tflite.Padding,
    "FusedActivationFunction": tflite.ActivationFunctionType,
    "Mode": tflite.MirrorPadMode,
}

#: The narrow field of an operator code holds no more; larger codes stand in the wide one.
PLACEHOLDER_FOR_GREATER_OP_CODES = 127


@dataclass(frozen=True, eq=False)
class TensorSpec:
    """A tensor as it stands in the file.

    ``dtype`` is the name of a ``tflite.TensorType``, in lower case. ``data`` is an array or raw
    bytes, checked against nothing. Without ``scales`` the tensor has no quantization.
    """

    shape: tuple[int, ...]
    dtype: str = "int8"
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0
    data: Array | bytes | None = None
    name: str | bytes = "tensor"
    signature: tuple[int, ...] = ()
    is_variable: bool = False


class OperatorSpec(NamedTuple):
    """An operator: builtin name, tensor indices (-1 is an absent input), options by field.

    A custom operator is named ``CUSTOM:Name``; its options are the map that it takes.
    """

    name: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: Mapping[str, Any]


def build_model(
    tensors: Sequence[TensorSpec],
    operators: Sequence[OperatorSpec],
    inputs: Sequence[int],
    outputs: Sequence[int],
    subgraphs: int = 1,
    once: tuple[Sequence[TensorSpec], Sequence[OperatorSpec]] = ((), ()),
    has_narrow_codes: bool = True,
) -> bytes:
    """Return the bytes of a model; ``subgraphs`` equal ones if another number is asked for.

    ``once`` holds tensors and operators of a last subgraph, without inputs and outputs. An object
    that is given several times is written once and referred to several times. Without narrow codes
    operators have the wide field only.
    """
    builder = flatbuffers.Builder(1024)
    # Buffer 0 is the empty one; a tensor's own buffer stands one behind its place.
    own = list({id(tensor): tensor for tensor in (*tensors, *once[0])}.values())
    buffers = _tables(builder, [_buffer(builder, None)] + [_buffer(builder, t) for t in own])
    names = list(dict.fromkeys(operator.name for operator in (*operators, *once[1])))
    codes = _tables(builder, [_operator_code(builder, name, has_narrow_codes) for name in names])
    written = {id(t): _tensor(builder, t, i) for i, t in enumerate(own, start=1)}
    called = {
        id(o): _operator(builder, o, names.index(o.name))
        for o in {id(o): o for o in (*operators, *once[1])}.values()
    }

    def parts(
        tensors: Sequence[TensorSpec], operators: Sequence[OperatorSpec], *ends: Sequence[int]
    ) -> list[int]:
        return [
            _tables(builder, [written[id(tensor)] for tensor in tensors]),
            _tables(builder, [called[id(operator)] for operator in operators]),
            *(_int32s(builder, end) for end in ends),
        ]

    main = parts(tensors, operators, inputs, outputs)
    tables = [_subgraph(builder, *main) for _ in range(subgraphs)]
    tables += [_subgraph(builder, *parts(*once, (), ()))] if once[1] else []
    graphs = _tables(builder, tables)
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddOperatorCodes(builder, codes)
    tflite.ModelAddSubgraphs(builder, graphs)
    tflite.ModelAddBuffers(builder, buffers)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def _tables(builder: Any, tables: list[int]) -> int:
    """Write a vector of references to tables."""
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return int(builder.EndVector())


def _int32s(builder: Any, values: Sequence[int]) -> int:
    return int(builder.CreateNumpyVector(np.array(values, "<i4")))


def _buffer(builder: Any, tensor: TensorSpec | None) -> int:
    """Write a tensor's constant data, or the empty buffer of what is computed at run time."""
    vector = None
    if tensor is not None and tensor.data is not None:
        raw = tensor.data if isinstance(tensor.data, bytes) else tensor.data.tobytes()
        builder.Prep(16, len(raw))  # the schema aligns data to 16 bytes
        vector = builder.CreateByteVector(raw)
    tflite.BufferStart(builder)
    if vector is not None:
        tflite.BufferAddData(builder, vector)
    return int(tflite.BufferEnd(builder))


def _operator_code(builder: Any, name: str, has_narrow_code: bool) -> int:
    kind, _, custom = name.partition(":")
    value = getattr(tflite.BuiltinOperator, kind)
    text = builder.CreateString(custom) if custom else None
    tflite.OperatorCodeStart(builder)
    if text is not None:
        tflite.OperatorCodeAddCustomCode(builder, text)
    narrow = min(value, PLACEHOLDER_FOR_GREATER_OP_CODES)
    if has_narrow_code:
        tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, narrow)
    tflite.OperatorCodeAddVersion(builder, 1)
    tflite.OperatorCodeAddBuiltinCode(builder, value)
    return int(tflite.OperatorCodeEnd(builder))


def _tensor(builder: Any, tensor: TensorSpec, buffer: int) -> int:
    shape = _int32s(builder, tensor.shape)
    signature = _int32s(builder, tensor.signature) if tensor.signature else None
    name = builder.CreateString(tensor.name)
    quantization = _quantization(builder, tensor) if tensor.scales else None
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    if signature is not None:
        tflite.TensorAddShapeSignature(builder, signature)
    tflite.TensorAddType(builder, getattr(tflite.TensorType, tensor.dtype.upper()))
    tflite.TensorAddBuffer(builder, buffer)
    tflite.TensorAddName(builder, name)
    if quantization is not None:
        tflite.TensorAddQuantization(builder, quantization)
    tflite.TensorAddIsVariable(builder, tensor.is_variable)
    return int(tflite.TensorEnd(builder))


def _quantization(builder: Any, tensor: TensorSpec) -> int:
    scales = builder.CreateNumpyVector(np.array(tensor.scales, "<f4"))
    zero_points = builder.CreateNumpyVector(np.array(tensor.zero_points, "<i8"))
    tflite.QuantizationParametersStart(builder)
    tflite.QuantizationParametersAddScale(builder, scales)
    tflite.QuantizationParametersAddZeroPoint(builder, zero_points)
    tflite.QuantizationParametersAddQuantizedDimension(builder, tensor.axis)
    return int(tflite.QuantizationParametersEnd(builder))


def _operator(builder: Any, operator: OperatorSpec, code: int) -> int:
    inputs = _int32s(builder, operator.inputs)
    outputs = _int32s(builder, operator.outputs)
    table = _option_table(operator.name)
    options = _options(builder, table, operator.options) if table else None
    custom = None
    if operator.name.startswith("CUSTOM:"):
        custom = builder.CreateByteVector(bytes(flexbuffers.Dumps(dict(operator.options))))
    tflite.OperatorStart(builder)
    if custom is not None:
        tflite.OperatorAddCustomOptions(builder, custom)
    tflite.OperatorAddOpcodeIndex(builder, code)
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(builder, getattr(tflite.BuiltinOptions, table))
        tflite.OperatorAddBuiltinOptions(builder, options)
    return int(tflite.OperatorEnd(builder))


def _option_table(name: str) -> str:
    """Return the name of an operator's option table, or nothing if it has none."""
    usual = name.title().replace("_", "") + "Options"
    table = OPTION_TABLES.get(name, usual)
    return table if hasattr(tflite, table) else ""


def _options(builder: Any, table: str, options: Mapping[str, Any]) -> int:
    texts = {
        field: builder.CreateString(value)
        for field, value in options.items()
        if isinstance(value, str) and field not in OPTION_ENUMS
    }
    getattr(tflite, f"{table}Start")(builder)
    for field, value in options.items():
        is_name = isinstance(value, str) and field in OPTION_ENUMS
        number = getattr(OPTION_ENUMS[field], value) if is_name else value
        getattr(tflite, f"{table}Add{field}")(builder, texts.get(field, number))
    return int(getattr(tflite, f"{table}End")(builder))


def _subgraph(builder: Any, tensors: int, operators: int, inputs: int, outputs: int) -> int:
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensors)
    tflite.SubGraphAddInputs(builder, inputs)
    tflite.SubGraphAddOutputs(builder, outputs)
    tflite.SubGraphAddOperators(builder, operators)
    return int(tflite.SubGraphEnd(builder))


# --- models of one operator -----------------------------------------------------------------------


def int8(
    shape: tuple[int, ...], scale: float = 0.5, zero_point: int = 0, name: str | bytes = "tensor"
) -> TensorSpec:
    """Return a per-tensor quantized tensor that is computed at run time."""
    return TensorSpec(shape, "int8", (scale,), (zero_point,), name=name)


def float32(shape: tuple[int, ...]) -> TensorSpec:
    """Return a float tensor that is computed at run time."""
    return TensorSpec(shape, "float32")


def constant(data: Array, scales: tuple[float, ...] = (), axis: int = 0) -> TensorSpec:
    """Return a constant; symmetric, per channel of ``axis`` if there are several scales."""
    zero_points = (0,) * len(scales)
    return TensorSpec(data.shape, data.dtype.name, scales, zero_points, axis, data, "constant")


def single(
    name: str,
    inputs: Sequence[TensorSpec | None],
    output: TensorSpec,
    options: Mapping[str, Any] | None = None,
) -> bytes:
    """Return a model of one operator; inputs without data are the model's inputs."""
    tensors = [*(tensor for tensor in inputs if tensor is not None), output]
    indices = iter(range(len(tensors)))
    taken = [-1 if tensor is None else next(indices) for tensor in inputs]
    fed = [i for i in taken if i >= 0 and tensors[i].data is None]
    end = len(tensors) - 1
    return build_model(tensors, [OperatorSpec(name, taken, [end], options or {})], fed, [end])


def _positions(size: int, extent: int, stride: int, padding: str) -> int:
    """Count the places of a window of ``extent`` along an axis."""
    if padding == "SAME":
        return (size + stride - 1) // stride
    return (size - extent + stride) // stride


def _slid(
    x: TensorSpec, window: tuple[int, ...], stride: Pair, dilation: Pair, padding: str
) -> Pair:
    """Return the height and width that a window leaves of ``x [N, H, W, C]``."""
    height, width = (
        _positions(x.shape[1 + i], (window[i] - 1) * dilation[i] + 1, stride[i], padding)
        for i in range(2)
    )
    return height, width


def conv_2d(
    x: TensorSpec,
    filter_: TensorSpec,
    bias: TensorSpec | None,
    out: TensorSpec,
    *,
    padding: str = "VALID",
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    activation: str = "NONE",
) -> bytes:
    """Return a CONV_2D of ``filter_ [O, H, W, C]``; the output's shape is computed here."""
    size = _slid(x, filter_.shape[1:3], stride, dilation, padding)
    shape = (x.shape[0], *size, filter_.shape[0])
    options = _window_options(padding, stride, activation) | _dilation_options(dilation)
    return single("CONV_2D", (x, filter_, bias), replace(out, shape=shape), options)


def depthwise_conv_2d(
    x: TensorSpec,
    filter_: TensorSpec,
    bias: TensorSpec | None,
    out: TensorSpec,
    *,
    padding: str = "VALID",
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    activation: str = "NONE",
) -> bytes:
    """Return a DEPTHWISE_CONV_2D of ``filter_ [1, H, W, O]``; the output's shape is computed."""
    size = _slid(x, filter_.shape[1:3], stride, dilation, padding)
    shape = (x.shape[0], *size, filter_.shape[3])
    options = _window_options(padding, stride, activation) | _dilation_options(dilation)
    options["DepthMultiplier"] = filter_.shape[3] // x.shape[3]
    return single("DEPTHWISE_CONV_2D", (x, filter_, bias), replace(out, shape=shape), options)


def pool_2d(
    name: str,
    x: TensorSpec,
    *,
    window: Pair,
    padding: str = "VALID",
    stride: Pair = (1, 1),
    activation: str = "NONE",
) -> bytes:
    """Return an AVERAGE_POOL_2D or MAX_POOL_2D; the output has the input's quantization."""
    size = _slid(x, window, stride, (1, 1), padding)
    out = replace(x, shape=(x.shape[0], *size, x.shape[3]), name="output")
    options = _window_options(padding, stride, activation)
    options |= {"FilterHeight": window[0], "FilterWidth": window[1]}
    return single(name, (x,), out, options)


def _window_options(padding: str, stride: Pair, activation: str) -> dict[str, Any]:
    return {
        "Padding": padding,
        "StrideH": stride[0],
        "StrideW": stride[1],
        "FusedActivationFunction": activation,
    }


def _dilation_options(dilation: Pair) -> dict[str, Any]:
    return {"DilationHFactor": dilation[0], "DilationWFactor": dilation[1]}


def fully_connected(
    x: TensorSpec,
    filter_: TensorSpec,
    bias: TensorSpec | None,
    out: TensorSpec,
    *,
    activation: str = "NONE",
) -> bytes:
    """Return a FULLY_CONNECTED of ``filter_ [O, I]``; the output is ``[N, O]``."""
    rows, features = filter_.shape
    shape = (prod(x.shape) // features, rows)
    options = {"FusedActivationFunction": activation}
    return single("FULLY_CONNECTED", (x, filter_, bias), replace(out, shape=shape), options)


def add(a: TensorSpec, b: TensorSpec, out: TensorSpec, *, activation: str = "NONE") -> bytes:
    """Return an ADD."""
    return single("ADD", (a, b), out, {"FusedActivationFunction": activation})


def pad(x: TensorSpec, paddings: Sequence[Pair]) -> bytes:
    """Return a PAD; the output has the input's quantization."""
    amounts = np.array(paddings, "int32")
    shape = tuple(np.add(x.shape, amounts.sum(axis=1)).tolist())
    return single("PAD", (x, constant(amounts)), replace(x, shape=shape, name="output"))


def mean(x: TensorSpec, axes: Sequence[int], out: TensorSpec, *, keep_dims: bool = False) -> bytes:
    """Return a MEAN over ``axes``; the output's shape is computed here."""
    reduced = {axis % len(x.shape) for axis in axes}
    kept = [
        1 if i in reduced else size
        for i, size in enumerate(x.shape)
        if keep_dims or i not in reduced
    ]
    inputs = (x, constant(np.array(axes, "int32")))
    return single("MEAN", inputs, replace(out, shape=tuple(kept)), {"KeepDims": keep_dims})


def softmax(x: TensorSpec, *, beta: float = 1.0) -> bytes:
    """Return a SOFTMAX with the one output quantization that the format allows."""
    return single("SOFTMAX", (x,), int8(x.shape, 1 / 256, -128), {"Beta": beta})


def log_softmax(shape: tuple[int, ...]) -> bytes:
    """Return a LOG_SOFTMAX on float32."""
    return single("LOG_SOFTMAX", (float32(shape),), float32(shape))


def quantize(x: TensorSpec, out: TensorSpec) -> bytes:
    """Return a QUANTIZE, of float32 or int8."""
    return single("QUANTIZE", (x,), out)


def dequantize(x: TensorSpec) -> bytes:
    """Return a DEQUANTIZE to float32."""
    return single("DEQUANTIZE", (x,), float32(x.shape))


def reshape(x: TensorSpec, shape: tuple[int, ...]) -> bytes:
    """Return a RESHAPE to ``shape``, given as a constant tensor as converters do."""
    return single("RESHAPE", (x, constant(np.array(shape, "int32"))), replace(x, shape=shape))
