"""Layers that move a window or change height and width: pools, frames, cuts, enlargement."""

from __future__ import annotations

from typing import Any

from tinysim.compiler.graph import Tensor
from tinysim.compiler.readers.keras.builder import Scope
from tinysim.compiler.readers.keras.config import LayerError, shown
from tinysim.compiler.readers.keras.layers_weights import as_image, back, pad, pair, positions
from tinysim.compiler.readers.keras.registry import makes


@makes("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D")
def _pool(scope: Scope) -> Tensor:
    """Pool; positions outside the input do not count."""
    dimensions = int(scope.layer.kind[-2])
    x = as_image(scope, dimensions)
    window = pair(scope, "pool_size", dimensions, 2)
    has_stride = "strides" in scope.config
    stride = pair(scope, "strides", dimensions) if has_stride else window
    padding = scope.config.choice("padding", "valid", "valid", "same").upper()
    size = [positions(x.shape[1 + i], window[i], stride[i], padding) for i in (0, 1)]
    y = scope.emit(
        "MAX_POOL_2D" if scope.layer.kind.startswith("Max") else "AVERAGE_POOL_2D",
        (x,),
        (x.shape[0], *size, x.shape[3]),
        Padding=padding,
        StrideH=stride[0],
        StrideW=stride[1],
        FilterHeight=window[0],
        FilterWidth=window[1],
    )
    return back(scope, y, dimensions)


@makes("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D")
@makes("GlobalMaxPooling2D")
def _global_pool(scope: Scope) -> Tensor:
    """Reduce height and width to their average or maximum."""
    dimensions = int(scope.layer.kind[-2])
    x, keeps = scope.image(2 + dimensions), scope.config.flag("keepdims", False)
    operator = "REDUCE_MAX" if "Max" in scope.layer.kind else "MEAN"
    ones = (1,) * dimensions if keeps else ()
    axes = scope.integers("axes", list(range(1, 1 + dimensions)))
    return scope.emit(operator, (x, axes), (x.shape[0], *ones, x.shape[-1]), KeepDims=keeps)


def _frame(scope: Scope, key: str, dimensions: int) -> list[tuple[int, int]]:
    """Return before and after along each inner axis: a number, one an axis, or a pair an axis."""
    value: Any = scope.config.raw(key)
    value = 1 if value is None else value
    if dimensions == 1:
        value = [value]
    if not isinstance(value, list):
        value = [value] * dimensions
    found = []
    for item in value:
        around = item if isinstance(item, list) else [item, item]
        if len(around) != 2 or not all(type(size) is int and 0 <= size < 2**24 for size in around):
            raise LayerError(f"{key} is {shown(value)}, expected whole numbers")
        found.append((around[0], around[1]))
    if len(found) != dimensions:
        raise LayerError(f"{key} is {shown(value)}, expected {dimensions} axes")
    return found


@makes("ZeroPadding1D", "ZeroPadding2D")
def _zero_padding(scope: Scope) -> Tensor:
    dimensions = int(scope.layer.kind[-2])
    x = scope.image(2 + dimensions)
    return pad(scope, x, [(0, 0), *_frame(scope, "padding", dimensions), (0, 0)])


@makes("Cropping1D", "Cropping2D")
def _cropping(scope: Scope) -> Tensor:
    dimensions = int(scope.layer.kind[-2])
    x = scope.image(2 + dimensions)
    cut = [(0, 0), *_frame(scope, "cropping", dimensions), (0, 0)]
    shape = [size - sum(around) for size, around in zip(x.shape, cut, strict=True)]
    if min(shape) < 1:
        raise LayerError(f"cropping leaves {shape} of {list(x.shape)}")
    begin = scope.integers("begin", [before for before, _ in cut])
    role = f"size{'x'.join(str(size) for size in shape)}"
    return scope.emit("SLICE", (x, begin, scope.integers(role, shape)), shape)


def _resize(scope: Scope, x: Tensor, height: int, width: int, how: str) -> Tensor:
    """Resize as Keras does: pixels have their centres at halves."""
    operator = {"nearest": "RESIZE_NEAREST_NEIGHBOR", "bilinear": "RESIZE_BILINEAR"}[how]
    size = scope.integers(f"size{height}x{width}", [height, width])
    shape = (x.shape[0], height, width, x.shape[3])
    return scope.emit(operator, (x, size), shape, HalfPixelCenters=True)


@makes("UpSampling1D", "UpSampling2D")
def _upsampling(scope: Scope) -> Tensor:
    dimensions = int(scope.layer.kind[-2])
    x = as_image(scope, dimensions)
    times = pair(scope, "size", dimensions, 2)
    how = scope.config.choice("interpolation", "nearest", "nearest", "bilinear")
    y = _resize(scope, x, x.shape[1] * times[0], x.shape[2] * times[1], how)
    return back(scope, y, dimensions)


@makes("Resizing")
def _resizing(scope: Scope) -> Tensor:
    if any(scope.config.raw(key) for key in ("crop_to_aspect_ratio", "pad_to_aspect_ratio")):
        raise LayerError("resizing that keeps the aspect ratio is not supported")
    how = scope.config.choice("interpolation", "bilinear", "nearest", "bilinear")
    config = scope.config
    return _resize(scope, scope.image(), config.integer("height"), config.integer("width"), how)
