"""What is known at read time: shapes, and operators on constants, computed in numpy."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from math import prod
from typing import Any

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.readers.onnx.layer import Layer, axis_of
from tinysim.compiler.readers.onnx.shape import (
    flattened,
    padded_axes,
    reshaped,
    slices,
    split_sizes,
    squeezed,
    unsqueezed,
)
from tinysim.compiler.readers.onnx.source import _DTYPES, Refusal

Arrays = tuple[Array, ...]
Evaluator = Callable[[Layer, list[Any]], Any]

EVALUATORS: dict[str, Evaluator] = {}


def evaluate(layer: Layer) -> Arrays | None:
    """Compute a node whose result needs nothing that is computed at run time."""
    node = layer.node
    function = EVALUATORS.get(node.kind) if not node.domain else None
    if function is None:
        return None
    if node.kind not in ("Shape", "Size") and not all(
        layer.is_constant(i) for i in range(len(node.inputs)) if layer.has(i)
    ):
        return None
    arrays = [layer.value(i).tensor.data if layer.has(i) else None for i in range(len(node.inputs))]
    with np.errstate(all="ignore"):
        results = function(layer, arrays)
    return results if isinstance(results, tuple) else (np.asarray(results),)


def _evaluates(*kinds: str) -> Callable[[Evaluator], Evaluator]:
    def file(function: Evaluator) -> Evaluator:
        EVALUATORS.update(dict.fromkeys(kinds, function))
        return function

    return file


def _elementwise(function: Callable[..., Any]) -> Evaluator:
    """Apply a function of numpy, if all operands have one type and the result is small."""

    def apply(layer: Layer, arrays: list[Any]) -> Array:
        dims = np.broadcast_shapes(*(array.shape for array in arrays))
        layer.builder.charge(prod(dims) * 8)
        if len({array.dtype for array in arrays if array.dtype != bool}) > 1:
            raise Refusal("constants of different types")
        if function in _FOLDED:
            result = reduce(function, arrays)
        elif len(arrays) != getattr(function, "nin", 2):
            raise Refusal(f"{len(arrays)} inputs")
        else:
            result = function(*arrays)
        for_type = result.astype(arrays[0].dtype) if result.dtype != bool else result
        return np.asarray(for_type)

    return apply


def _quotient(a: Array, b: Array) -> Array:
    """Divide; integers towards zero."""
    if a.dtype.kind == "f":
        return np.divide(a, b)
    if (b == 0).any():
        raise Refusal("division by zero")
    quotient: Array = np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))
    return quotient


_FOLDED = (np.minimum, np.maximum)

EVALUATORS |= {
    "Add": _elementwise(np.add),
    "Sub": _elementwise(np.subtract),
    "Mul": _elementwise(np.multiply),
    "Div": _elementwise(_quotient),
    "Min": _elementwise(np.minimum),
    "Max": _elementwise(np.maximum),
    "Neg": _elementwise(np.negative),
    "Abs": _elementwise(np.abs),
    "Sqrt": _elementwise(np.sqrt),
    "Floor": _elementwise(np.floor),
    "Ceil": _elementwise(np.ceil),
    "Equal": _elementwise(np.equal),
    "Identity": lambda layer, arrays: arrays[0],
    "Dropout": lambda layer, arrays: arrays[0],
    "Shape": lambda layer, arrays: _shape(layer),
    "Size": lambda layer, arrays: np.array(prod(layer.value(0).tensor.shape), np.int64),
    "Reshape": lambda layer, arrays: arrays[0].reshape(reshaped(layer, arrays[0].shape)),
    "Flatten": lambda layer, arrays: arrays[0].reshape(flattened(layer, arrays[0].shape)),
    "Squeeze": lambda layer, arrays: arrays[0].reshape(squeezed(layer, arrays[0].shape)),
    "Unsqueeze": lambda layer, arrays: arrays[0].reshape(unsqueezed(layer, arrays[0].shape)),
}


def _shape(layer: Layer) -> Array:
    """Return the shape of a tensor, or a part of it."""
    dims = layer.value(0).tensor.shape
    start, end = layer.attribute("start", 0), layer.attribute("end", len(dims))
    return np.array(dims[start:end], np.int64)


@_evaluates("Constant")
def _constant(layer: Layer, arrays: list[Any]) -> Array:
    """Return the value that stands in an attribute."""
    values = layer.node.attributes
    for key, dtype in (
        ("value_float", "float32"),
        ("value_floats", "float32"),
        ("value_int", "int64"),
        ("value_ints", "int64"),
    ):
        if key in values:
            return np.array(values[key], dtype)
    if not isinstance(values.get("value"), np.ndarray):
        raise Refusal("a constant without numbers")
    return np.asarray(values["value"])


@_evaluates("ConstantOfShape")
def _constant_of_shape(layer: Layer, arrays: list[Any]) -> Array:
    dims = layer.ints_of(0)
    fill = layer.node.attributes.get("value", np.zeros(1, np.float32))
    if any(size < 0 for size in dims):
        raise Refusal(f"the shape {list(dims)}")
    layer.builder.charge(prod(dims) * fill.itemsize)
    return np.full(dims, fill.reshape(()))


@_evaluates("Cast")
def _cast(layer: Layer, arrays: list[Any]) -> Array:
    to = layer.attribute("to", 0)
    if to not in _DTYPES:
        raise Refusal(f"a cast to type {to}")
    return np.asarray(arrays[0].astype(_DTYPES[to][0]))


@_evaluates("Transpose")
def _transpose(layer: Layer, arrays: list[Any]) -> Array:
    return np.asarray(arrays[0].transpose(layer.ints("perm") or None))


@_evaluates("Concat")
def _concat(layer: Layer, arrays: list[Any]) -> Array:
    layer.builder.charge(sum(array.nbytes for array in arrays))
    return np.concatenate(arrays, axis_of(layer.attribute("axis", 0), arrays[0].ndim))


@_evaluates("Gather")
def _gather(layer: Layer, arrays: list[Any]) -> Array:
    data, indices = arrays
    axis = axis_of(layer.attribute("axis", 0), data.ndim)
    layer.builder.charge(data.nbytes // max(1, data.shape[axis]) * indices.size)
    return np.asarray(np.take(data, indices, axis))


@_evaluates("Slice")
def _slice(layer: Layer, arrays: list[Any]) -> Array:
    found = slices(layer, arrays[0].shape)
    spans = tuple(slice(one.start, one.stop if one.stop >= 0 else None, one.step) for one in found)
    return np.asarray(arrays[0][spans])


@_evaluates("Split")
def _split(layer: Layer, arrays: list[Any]) -> Arrays:
    axis = axis_of(layer.attribute("axis", 0), arrays[0].ndim)
    sizes = split_sizes(layer, arrays[0].shape[axis])
    return tuple(np.split(arrays[0], np.cumsum(sizes)[:-1], axis))


@_evaluates("Expand")
def _expand(layer: Layer, arrays: list[Any]) -> Array:
    dims = np.broadcast_shapes(arrays[0].shape, layer.ints_of(1))
    layer.builder.charge(prod(dims) * arrays[0].itemsize)
    return np.asarray(np.broadcast_to(arrays[0], dims))


@_evaluates("Where")
def _where(layer: Layer, arrays: list[Any]) -> Array:
    layer.builder.charge(8 * prod(np.broadcast_shapes(*(array.shape for array in arrays))))
    return np.asarray(np.where(arrays[0].astype(bool), arrays[1], arrays[2]))


@_evaluates("Range")
def _range(layer: Layer, arrays: list[Any]) -> Array:
    start, limit, step = (array.reshape(()) for array in arrays)
    layer.builder.charge(8 * max(0, int((limit - start) / step) + 1))
    return np.asarray(np.arange(start, limit, step, dtype=arrays[0].dtype))


@_evaluates("ReduceProd", "ReduceSum")
def _reduce(layer: Layer, arrays: list[Any]) -> Array:
    function = np.prod if layer.node.kind == "ReduceProd" else np.sum
    axes = layer.axes(1, arrays[0].ndim)
    keep = bool(layer.attribute("keepdims", 1))
    return np.asarray(function(arrays[0], axis=axes, keepdims=keep, dtype=arrays[0].dtype))


@_evaluates("DequantizeLinear")
def _dequantize(layer: Layer, arrays: list[Any]) -> Array:
    """Return the real values of a constant."""
    scale, zero = padded_axes(layer, arrays[0], arrays[1]), np.zeros((), np.int64)
    if len(arrays) > 2 and arrays[2] is not None:
        zero = padded_axes(layer, arrays[0], arrays[2]).astype(np.int64)
    layer.builder.charge(12 * arrays[0].size)
    steps = (arrays[0].astype(np.int64) - zero).astype(np.float32)
    return np.asarray(steps * scale.astype(np.float32))
