"""Layers that compute element by element: normalizations and merges."""

from __future__ import annotations

from functools import reduce
from math import prod

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.readers.keras.activations import scaled
from tinysim.compiler.readers.keras.builder import Scope
from tinysim.compiler.readers.keras.config import LayerError, shown
from tinysim.compiler.readers.keras.registry import makes


def _axis(scope: Scope) -> int:
    """Return the one axis that statistics are kept along."""
    rank, axis = len(scope.x.shape), scope.config.raw("axis")
    axis = -1 if axis is None else axis
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if type(axis) is not int or not -rank <= axis < rank or axis % rank == 0:
        raise LayerError(f"axis {shown(axis)} is not supported")
    return axis % rank


def _affine(scope: Scope, factor: Array, offset: Array, axis: int) -> Tensor:
    """Multiply and add along ``axis``; what changes nothing is left out."""
    shape = [-1] + [1] * (len(scope.x.shape) - 1 - axis)
    y = scope.x
    if not (factor == 1).all():
        y = scope.binary("MUL", y, scope.floats("factor", factor.reshape(shape)))
    if not (offset == 0).all():
        y = scope.binary("ADD", y, scope.floats("offset", offset.reshape(shape)))
    return y


@makes("BatchNormalization")
def _batch_normalization(scope: Scope) -> Tensor:
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, folded into MUL and ADD."""
    axis = _axis(scope)
    channels = scope.x.shape[axis]
    has_gamma, has_beta = scope.config.flag("scale", True), scope.config.flag("center", True)
    stored = scope.weights(*((channels,),) * (2 + has_gamma + has_beta))
    wide = [values.astype(np.float64) for values in stored]
    gamma = wide.pop(0) if has_gamma else np.ones(channels)
    beta = wide.pop(0) if has_beta else np.zeros(channels)
    mean, variance = wide
    variance = variance + scope.config.number("epsilon", 0.001)
    if not (variance > 0).all():
        raise LayerError("the variance is negative or zero")
    factor = gamma / np.sqrt(variance)
    return _affine(scope, factor, beta - mean * factor, axis)


@makes("LayerNormalization")
def _layer_normalization(scope: Scope) -> Tensor:
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` of each row as it comes."""
    x, axis = scope.x, _axis(scope)
    if axis != len(x.shape) - 1 or scope.config.raw("rms_scaling"):
        raise LayerError("layer normalization is supported along the last axis only")
    has_gamma, has_beta = scope.config.flag("scale", True), scope.config.flag("center", True)
    stored = scope.weights(*((x.shape[-1],),) * (has_gamma + has_beta))
    row = (*x.shape[:-1], 1)
    axes = scope.integers("axes", [axis])
    centred = scope.binary("SUB", x, scope.emit("MEAN", (x, axes), row, KeepDims=True))
    squares = scope.binary("MUL", centred, centred)
    variance = scope.emit("MEAN", (squares, axes), row, KeepDims=True)
    epsilon = scope.config.number("epsilon", 0.001)
    shifted = scaled(scope, variance, "ADD", "epsilon", epsilon)
    y = scope.binary("MUL", centred, scope.unary("RSQRT", shifted))
    if has_gamma:
        y = scope.binary("MUL", y, scope.floats("gamma", stored[0]))
    return scope.binary("ADD", y, scope.floats("beta", stored[-1])) if has_beta else y


@makes("Rescaling")
def _rescaling(scope: Scope) -> Tensor:
    """``x * scale + offset``."""
    factor, offset = scope.config.numbers("scale", 1.0), scope.config.numbers("offset", 0.0)
    return _affine(scope, np.array(factor), np.array(offset), len(scope.x.shape) - 1)


@makes("Normalization")
def _normalization(scope: Scope) -> Tensor:
    """``(x - mean) / max(sqrt(variance), 1e-7)``; statistics from the file or the layer."""
    x, last = scope.x, len(scope.x.shape) - 1
    if scope.config.raw("invert"):
        raise LayerError("invert is not supported")
    axis = scope.config.raw("axis")
    if axis not in (None, -1, last, [], [-1], [last]):
        raise LayerError(f"axis {shown(axis)} is not supported, only the last or none")
    shape = () if axis in (None, []) else (x.shape[-1],)
    if "mean" in scope.config and "variance" in scope.config:
        pairs = (scope.config.raw("mean"), scope.config.raw("variance"))
        try:
            mean, variance = (np.ravel(np.asarray(values, np.float64)) for values in pairs)
        except (TypeError, ValueError) as error:
            raise LayerError("mean or variance are not numbers") from error
        if {mean.size, variance.size} - {1, prod(shape)}:
            raise LayerError(f"mean of {mean.size} values does not go with {list(x.shape)}")
    else:
        mean, variance, _ = (np.ravel(v).astype(float) for v in scope.weights(shape, shape, ()))
    if not (np.isfinite(mean).all() and (variance >= 0).all()):
        raise LayerError("mean or variance mean nothing")
    y = scope.binary("SUB", x, scope.floats("mean", mean))
    return scope.binary("MUL", y, scope.floats("factor", 1 / np.maximum(np.sqrt(variance), 1e-7)))


@makes("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
def _merge(scope: Scope) -> Tensor:
    """Combine inputs of one rank from left to right."""
    kind, inputs = scope.layer.kind, scope.inputs
    if len(inputs) < 2 or (kind == "Subtract" and len(inputs) > 2):
        raise LayerError(f"has {len(inputs)} inputs")
    if len({len(tensor.shape) for tensor in inputs}) != 1:
        raise LayerError("inputs of different ranks are not supported")
    operator = {
        "Add": "ADD",
        "Average": "ADD",
        "Subtract": "SUB",
        "Multiply": "MUL",
        "Maximum": "MAXIMUM",
        "Minimum": "MINIMUM",
    }[kind]
    y = reduce(lambda a, b: scope.binary(operator, a, b), inputs)
    return scaled(scope, y, "MUL", "share", 1 / len(inputs)) if kind == "Average" else y
