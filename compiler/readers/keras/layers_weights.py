"""Layers with weights: dense and convolutions."""

from __future__ import annotations

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.readers.keras.activations import activate
from tinysim.compiler.readers.keras.builder import Scope
from tinysim.compiler.readers.keras.config import LayerError
from tinysim.compiler.readers.keras.registry import makes

Pair = tuple[int, int]


def positions(size: int, extent: int, stride: int, padding: str) -> int:
    """Return how many times a window fits along one axis."""
    found = -(-size // stride) if padding == "SAME" else (size - extent) // stride + 1
    if found < 1:
        raise LayerError(f"a window of {extent} does not fit into {size}")
    return found


def as_image(scope: Scope, dimensions: int) -> Tensor:
    """Return the input as ``[N, H, W, C]``; a sequence gets a height of 1."""
    x = scope.image(2 + dimensions)
    return x if dimensions == 2 else scope.reshape(x, (x.shape[0], 1, *x.shape[1:]))


def back(scope: Scope, y: Tensor, dimensions: int) -> Tensor:
    """Undo ``as_image``."""
    return y if dimensions == 2 else scope.reshape(y, (y.shape[0], *y.shape[2:]))


def pair(scope: Scope, key: str, dimensions: int, default: int | None = None) -> Pair:
    """Return a size along height and width."""
    values = scope.config.integers(key, dimensions, default)
    return (values[0], values[1]) if dimensions == 2 else (1, values[0])


def _bias_shape(scope: Scope, channels: int) -> tuple[tuple[int, ...], ...]:
    return ((channels,),) if scope.config.flag("use_bias", True) else ()


@makes("Dense")
def _dense(scope: Scope) -> Tensor:
    """Multiply the last axis by a matrix."""
    x, units = scope.x, scope.config.integer("units")
    if len(x.shape) < 2:
        raise LayerError(f"input {list(x.shape)} has no features")
    kernel, *bias = scope.weights((x.shape[-1], units), *_bias_shape(scope, units))
    constants = [scope.floats("kernel", kernel.T), *(scope.floats("bias", b) for b in bias)]
    keep = len(x.shape) > 2
    y = scope.emit("FULLY_CONNECTED", (x, *constants), (*x.shape[:-1], units), KeepNumDims=keep)
    return activate(scope, y)


def _convolution(
    scope: Scope,
    operator: str,
    x: Tensor,
    filter_: Tensor,
    bias: list[Array],
    channels: int,
    dimensions: int,
    **options: int,
) -> Tensor:
    """Append a convolution, with the padding that the layer names; causal pads in front."""
    stride = pair(scope, "strides", dimensions, 1)
    dilation = pair(scope, "dilation_rate", dimensions, 1)
    kinds = ("valid", "same", "causal")[: 4 - dimensions]
    padding = scope.config.choice("padding", "valid", *kinds).upper()
    extent = [(filter_.shape[1 + axis] - 1) * dilation[axis] + 1 for axis in (0, 1)]
    if padding == "CAUSAL":
        x = pad(scope, x, [(0, 0), (0, 0), (extent[1] - 1, 0), (0, 0)])
        padding = "VALID"
    size = [positions(x.shape[1 + i], extent[i], stride[i], padding) for i in (0, 1)]
    return scope.emit(
        operator,
        (x, filter_, *(scope.floats("bias", values) for values in bias)),
        (x.shape[0], *size, channels),
        Padding=padding,
        StrideH=stride[0],
        StrideW=stride[1],
        DilationHFactor=dilation[0],
        DilationWFactor=dilation[1],
        **options,
    )


def pad(scope: Scope, x: Tensor, paddings: list[tuple[int, int]]) -> Tensor:
    """Append a frame of zeros, unless it is empty."""
    if not any(before or after for before, after in paddings):
        return x
    shape = [size + sum(around) for size, around in zip(x.shape, paddings, strict=True)]
    return scope.emit("PAD", (x, scope.integers("paddings", paddings)), shape)


@makes("Conv1D", "Conv2D")
def _conv(scope: Scope) -> Tensor:
    """Convolve; the kernel ``[H, W, I, O]`` turns into ``[O, H, W, I]``."""
    dimensions = int(scope.layer.kind[-2])
    x = as_image(scope, dimensions)
    kernel_size = pair(scope, "kernel_size", dimensions)
    filters, groups = scope.config.integer("filters"), scope.config.integer("groups", 1)
    if x.shape[3] % groups or filters % groups:
        raise LayerError(f"{groups} groups do not divide {x.shape[3]} or {filters} channels")
    stored = (*kernel_size[2 - dimensions :], x.shape[3] // groups, filters)
    kernel, *bias = scope.weights(stored, *_bias_shape(scope, filters))
    shaped = kernel.reshape(*kernel_size, x.shape[3] // groups, filters)
    filter_ = scope.floats("kernel", shaped.transpose(3, 0, 1, 2))
    y = _convolution(scope, "CONV_2D", x, filter_, bias, filters, dimensions)
    return activate(scope, back(scope, y, dimensions))


@makes("DepthwiseConv1D", "DepthwiseConv2D")
def _depthwise(scope: Scope) -> Tensor:
    """Each channel by itself; the kernel ``[H, W, C, M]`` turns into ``[1, H, W, C * M]``."""
    dimensions = int(scope.layer.kind[-2])
    x = as_image(scope, dimensions)
    kernel_size = pair(scope, "kernel_size", dimensions)
    times = scope.config.integer("depth_multiplier", 1)
    channels = x.shape[3] * times
    stored = (*kernel_size[2 - dimensions :], x.shape[3], times)
    kernel, *bias = scope.weights(stored, *_bias_shape(scope, channels))
    filter_ = scope.floats("kernel", kernel.reshape(1, *kernel_size, channels))
    y = _convolution(
        scope,
        "DEPTHWISE_CONV_2D",
        x,
        filter_,
        bias,
        channels,
        dimensions,
        DepthMultiplier=times,
    )
    return activate(scope, back(scope, y, dimensions))


@makes("SeparableConv1D", "SeparableConv2D")
def _separable(scope: Scope) -> Tensor:
    """Convolve depthwise, then with size 1 and the bias."""
    dimensions = int(scope.layer.kind[-2])
    x = as_image(scope, dimensions)
    kernel_size = pair(scope, "kernel_size", dimensions)
    filters = scope.config.integer("filters")
    times = scope.config.integer("depth_multiplier", 1)
    channels = x.shape[3] * times
    first = (*kernel_size[2 - dimensions :], x.shape[3], times)
    second = (*(1,) * dimensions, channels, filters)
    depth, point, *bias = scope.weights(first, second, *_bias_shape(scope, filters))
    filter_ = scope.floats("depthwise", depth.reshape(1, *kernel_size, channels))
    y = _convolution(
        scope, "DEPTHWISE_CONV_2D", x, filter_, [], channels, dimensions, DepthMultiplier=times
    )
    constants = [
        scope.floats("pointwise", point.reshape(1, 1, channels, filters).transpose(3, 0, 1, 2)),
        *(scope.floats("bias", values) for values in bias),
    ]
    ones = dict.fromkeys(("StrideH", "StrideW", "DilationHFactor", "DilationWFactor"), 1)
    y = scope.emit("CONV_2D", (y, *constants), (*y.shape[:3], filters), **ones)
    return activate(scope, back(scope, y, dimensions))


@makes("Conv1DTranspose", "Conv2DTranspose")
def _transposed(scope: Scope) -> Tensor:
    """Convolve transposed; the kernel ``[H, W, O, I]`` turns into ``[O, H, W, I]``."""
    dimensions = int(scope.layer.kind[4])
    x = as_image(scope, dimensions)
    kernel_size = pair(scope, "kernel_size", dimensions)
    stride = pair(scope, "strides", dimensions, 1)
    if pair(scope, "dilation_rate", dimensions, 1) != (1, 1):
        raise LayerError("a dilated transposed convolution is not supported")
    if "output_padding" in scope.config:
        raise LayerError("output_padding of a transposed convolution is not supported")
    padding = scope.config.choice("padding", "valid", "valid", "same").upper()
    filters, channels = scope.config.integer("filters"), x.shape[3]
    stored = (*kernel_size[2 - dimensions :], filters, channels)
    kernel, *bias = scope.weights(stored, *_bias_shape(scope, filters))
    over = [0 if padding == "SAME" else max(0, kernel_size[i] - stride[i]) for i in (0, 1)]
    size = [x.shape[1 + i] * stride[i] + over[i] for i in (0, 1)]
    shape = (x.shape[0], *size, filters)
    shaped = kernel.reshape(*kernel_size, filters, channels).transpose(2, 0, 1, 3)
    y = scope.emit(
        "TRANSPOSE_CONV",
        (
            scope.integers(f"output_shape{size[0]}x{size[1]}", shape),
            scope.floats("kernel", np.ascontiguousarray(shaped)),
            x,
            *(scope.floats("bias", values) for values in bias),
        ),
        shape,
        Padding=padding,
        StrideH=stride[0],
        StrideW=stride[1],
    )
    return activate(scope, back(scope, y, dimensions))
