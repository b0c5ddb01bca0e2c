"""Layers that move data, or do nothing at inference."""

from __future__ import annotations

from math import prod

from tinysim.compiler.graph import Tensor
from tinysim.compiler.readers.keras.builder import Scope
from tinysim.compiler.readers.keras.config import LayerError, shown
from tinysim.compiler.readers.keras.registry import makes


@makes("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianDropout", "AlphaDropout")
@makes("GaussianNoise", "ActivityRegularization", "Identity")
@makes("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast")
def _identity(scope: Scope) -> Tensor:
    """Do nothing: it is for training."""
    return scope.x


@makes("Flatten")
def _flatten(scope: Scope) -> Tensor:
    if scope.config.raw("data_format") == "channels_first" and len(scope.x.shape) > 2:
        raise LayerError("data_format channels_first is not supported, use channels_last")
    return scope.reshape(scope.x, (scope.x.shape[0], prod(scope.x.shape[1:])))


@makes("Reshape")
def _reshape(scope: Scope) -> Tensor:
    """View under another shape; a size of -1 is what is left."""
    x, target = scope.x, scope.config.raw("target_shape")
    if not isinstance(target, list) or not all(type(size) is int for size in target):
        raise LayerError(f"target_shape is {shown(target)}, expected whole numbers")
    elements = prod(x.shape[1:])
    known = prod(size for size in target if size != -1)
    if target.count(-1) == 1 and known > 0 and elements % known == 0:
        target = [elements // known if size == -1 else size for size in target]
    if min(target, default=1) < 1 or prod(target) != elements:
        raise LayerError(f"target_shape {shown(target)} does not go with {list(x.shape)}")
    return scope.reshape(x, (x.shape[0], *target))


@makes("Permute")
def _permute(scope: Scope) -> Tensor:
    """Axes in another order; they count from 1, the batch stays."""
    x, dims = scope.x, scope.config.raw("dims")
    is_order = isinstance(dims, list) and all(type(axis) is int for axis in dims)
    if not is_order or sorted(dims) != list(range(1, len(x.shape))):
        raise LayerError(f"dims {shown(dims)} do not order {list(x.shape)}")
    order = [0, *dims]
    shape = [x.shape[axis] for axis in order]
    return scope.emit("TRANSPOSE", (x, scope.integers("order", order)), shape)


@makes("RepeatVector")
def _repeat(scope: Scope) -> Tensor:
    x, times = scope.image(2), scope.config.integer("n")
    row = scope.reshape(x, (x.shape[0], 1, x.shape[1]))
    multiples = scope.integers("multiples", [1, times, 1])
    return scope.emit("TILE", (row, multiples), (x.shape[0], times, x.shape[1]))


@makes("Concatenate")
def _concatenate(scope: Scope) -> Tensor:
    rank = len(scope.inputs[0].shape)
    axis = scope.config.raw("axis")
    axis = -1 if axis is None else axis
    if type(axis) is not int or not -rank <= axis < rank:
        raise LayerError(f"axis {shown(axis)} is not one of {rank}")
    axis %= rank
    shapes = [list(tensor.shape) for tensor in scope.inputs]
    others = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(others) != 1 or len({len(shape) for shape in shapes}) != 1:
        raise LayerError(f"shapes {shown(shapes)} cannot be joined along axis {axis}")
    shape = shapes[0]
    shape[axis] = sum(tensor.shape[axis] for tensor in scope.inputs)
    if len(scope.inputs) == 1:
        return scope.x
    return scope.emit("CONCATENATION", scope.inputs, shape, Axis=axis)
