"""Operators that move numbers and compute none: shapes, slices, transposition, padding."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.readers.onnx.layer import Layer, axis_of
from tinysim.compiler.readers.onnx.registry import reads
from tinysim.compiler.readers.onnx.source import Refusal

Dims = tuple[int, ...]


def reshaped(layer: Layer, dims: Dims) -> Dims:
    """Return the shape that a Reshape asks for: 0 copies a dimension, -1 is what is left."""
    wanted = list(layer.ints_of(1))
    if not layer.attribute("allowzero", 0):
        for axis, size in enumerate(wanted):
            if size == 0:
                if axis >= len(dims):
                    raise Refusal(f"shape {wanted} copies a dimension that is not there")
                wanted[axis] = dims[axis]
    if wanted.count(-1) > 1 or any(size < -1 for size in wanted):
        raise Refusal(f"the shape {wanted}")
    if -1 in wanted:
        known = prod(size for size in wanted if size != -1)
        if known == 0 or prod(dims) % known:
            raise Refusal(f"shape {list(dims)} cannot become {wanted}")
        wanted[wanted.index(-1)] = prod(dims) // known
    if prod(wanted) != prod(dims):
        raise Refusal(f"shape {list(dims)} cannot become {wanted}")
    return tuple(wanted)


def flattened(layer: Layer, dims: Dims) -> Dims:
    """Return the two dimensions of a Flatten."""
    axis = layer.attribute("axis", 1)
    if not -len(dims) <= axis <= len(dims):
        raise Refusal(f"axis {axis} of {len(dims)} dimensions")
    axis = axis + len(dims) if axis < 0 else axis
    return prod(dims[:axis]), prod(dims[axis:])


def squeezed(layer: Layer, dims: Dims) -> Dims:
    """Return a shape without dimensions of 1."""
    axes = layer.axes(1, len(dims))
    if axes is None:
        axes = tuple(axis for axis, size in enumerate(dims) if size == 1)
    if any(dims[axis] != 1 for axis in axes):
        raise Refusal(f"axes {list(axes)} of {list(dims)} are not 1")
    return tuple(size for axis, size in enumerate(dims) if axis not in axes)


def unsqueezed(layer: Layer, dims: Dims) -> Dims:
    """Return a shape with further dimensions of 1."""
    found = layer.ints_of(1) if layer.has(1) else layer.ints("axes")
    rank = len(dims) + len(found)
    axes = {axis_of(axis, rank) for axis in found}
    if len(axes) != len(found):
        raise Refusal(f"axes {list(found)} repeat")
    rest = iter(dims)
    return tuple(1 if axis in axes else next(rest) for axis in range(rank))


def slices(layer: Layer, dims: Dims) -> list[range]:
    """Return which positions a Slice takes of each axis; a stop of -1 lies before the first."""
    if layer.opset < 10:
        starts, ends, axes = layer.ints("starts"), layer.attribute("ends", ()), layer.ints("axes")
        steps: Dims = ()
    else:
        starts, ends = layer.ints_of(1), layer.ints_of(2)
        axes = layer.ints_of(3) if layer.has(3) else ()
        steps = layer.ints_of(4) if layer.has(4) else ()
    axes = axes or tuple(range(len(starts)))
    steps = steps or (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise Refusal("starts, ends, axes and steps do not go together")
    found = [range(size) for size in dims]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        place = axis_of(axis, len(dims))
        found[place] = range(*slice(start, end, step).indices(dims[place]))
    return found


def split_sizes(layer: Layer, size: int) -> Dims:
    """Return the lengths of a Split's outputs."""
    if layer.has(1):
        sizes = layer.ints_of(1)
    elif layer.ints("split"):
        sizes = layer.ints("split")
    else:
        count = layer.attribute("num_outputs", len(layer.node.outputs))
        if not 0 < count <= size:
            raise Refusal(f"{count} parts of {size}")
        part = -(-size // count)
        sizes = (*(part,) * (count - 1), size - part * (count - 1))
    if sum(sizes) != size or any(part < 1 for part in sizes):
        raise Refusal(f"parts {list(sizes)} of {size}")
    return sizes


def padded_axes(layer: Layer, data: Array, values: Array) -> Array:
    """Return one value, or one for each place along ``axis``, in a shape that spreads over data."""
    if values.size == 1:
        return values.reshape(())
    axis = axis_of(layer.attribute("axis", 1), data.ndim)
    if values.ndim != 1 or values.size != data.shape[axis]:
        raise Refusal(f"{values.size} values for axis {axis} of {list(data.shape)}")
    return values.reshape([-1 if place == axis else 1 for place in range(data.ndim)])


@reads("Identity", "Dropout")
def _identity(layer: Layer) -> Tensor:
    """Return the input itself; a mask that something reads is refused by the caller."""
    return layer.x()


@reads("Reshape")
def _reshape(layer: Layer) -> Tensor:
    return layer.reshape(layer.x(), reshaped(layer, layer.x().shape))


@reads("Flatten")
def _flatten(layer: Layer) -> Tensor:
    return layer.reshape(layer.x(), flattened(layer, layer.x().shape))


@reads("Squeeze")
def _squeeze(layer: Layer) -> Tensor:
    return layer.reshape(layer.x(), squeezed(layer, layer.x().shape))


@reads("Unsqueeze")
def _unsqueeze(layer: Layer) -> Tensor:
    return layer.reshape(layer.x(), unsqueezed(layer, layer.x().shape))


@reads("Transpose")
def _transpose(layer: Layer) -> Tensor:
    x = layer.x()
    return layer.transpose(x, layer.ints("perm") or tuple(reversed(range(len(x.shape)))))


def part_of(layer: Layer, x: Tensor, begin: Dims, size: Dims) -> Tensor:
    """Return a block of a tensor."""
    return layer.emit("SLICE", (x, layer.constant(begin), layer.constant(size)), size)


@reads("Slice")
def _slice(layer: Layer) -> Tensor:
    x = layer.x()
    found = slices(layer, x.shape)
    dims = tuple(len(one) for one in found)
    if dims == x.shape and all(one.step == 1 for one in found):
        return x
    begin = tuple(one.start for one in found)
    if all(one.step == 1 for one in found):
        return part_of(layer, x, begin, dims)
    if any(one.step < 0 for one in found):
        raise Refusal("steps below zero have no kernel")
    lists = (begin, tuple(one.stop for one in found), tuple(one.step for one in found))
    masks: dict[str, Any] = dict.fromkeys(
        ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0
    )
    return layer.emit(
        "STRIDED_SLICE", (x, *(layer.constant(values) for values in lists)), dims, **masks
    )


@reads("Split")
def _split(layer: Layer) -> tuple[Tensor, ...]:
    x = layer.x()
    axis = layer.axis("axis", 0, len(x.shape))
    sizes = split_sizes(layer, x.shape[axis])
    parts, at = [], 0
    for size in sizes:
        begin = tuple(at if place == axis else 0 for place in range(len(x.shape)))
        dims = (*x.shape[:axis], size, *x.shape[axis + 1 :])
        parts.append(part_of(layer, x, begin, dims))
        at += size
    return tuple(parts)


@reads("Concat")
def _concat(layer: Layer) -> Tensor:
    parts = [layer.x(index) for index in range(len(layer.node.inputs))]
    return concatenated(layer, parts, parts[0])


def concatenated(layer: Layer, parts: list[Tensor], like: Tensor) -> Tensor:
    """Return tensors one behind the other."""
    dims = list(parts[0].shape)
    axis = layer.axis("axis", 1, len(dims))
    if any(len(part.shape) != len(dims) for part in parts):
        raise Refusal("tensors of different ranks")
    dims[axis] = sum(part.shape[axis] for part in parts)
    return layer.emit("CONCATENATION", parts, dims, like, axis=axis, activation="NONE")


@reads("Gather")
def _gather(layer: Layer) -> Tensor:
    x = layer.x()
    axis = layer.axis("axis", 0, len(x.shape))
    if not layer.is_constant(1):
        dims = (*x.shape[:axis], *layer.x(1).shape, *x.shape[axis + 1 :])
        return layer.emit("GATHER", (x, layer.x(1)), dims, axis=axis, batch_dims=0)
    indices = layer.array(1)
    if indices.dtype.kind != "i" or ((indices < -x.shape[axis]) | (indices >= x.shape[axis])).any():
        raise Refusal(f"indices outside {x.shape[axis]}")
    indices = indices % x.shape[axis]
    dims = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    if indices.size == 1:
        begin = tuple(int(indices.ravel()[0]) * (place == axis) for place in range(len(x.shape)))
        block = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
        return layer.reshape(part_of(layer, x, begin, block), dims)
    return layer.emit("GATHER", (x, layer.constant(indices)), dims, axis=axis, batch_dims=0)


@reads("Pad")
def _pad(layer: Layer) -> Tensor:
    x = layer.x()
    rank = len(x.shape)
    mode = layer.attribute("mode", "constant")
    amounts = layer.ints_of(1) if layer.opset >= 11 else layer.ints("pads")
    if layer.has(3):
        axes = tuple(axis_of(axis, rank) for axis in layer.ints_of(3))
        before, after = [0] * rank, [0] * rank
        for place, axis in enumerate(axes):
            before[axis], after[axis] = amounts[place], amounts[place + len(axes)]
        amounts = (*before, *after)
    if len(amounts) != 2 * rank or any(amount < 0 for amount in amounts):
        raise Refusal(f"pads {list(amounts)} of {rank} dimensions")
    pairs = np.array([amounts[:rank], amounts[rank:]]).T
    dims = tuple(np.add(x.shape, pairs.sum(axis=1)).tolist())
    if dims == x.shape:
        return x
    paddings = layer.constant(pairs)
    if mode == "reflect":
        return layer.emit("MIRROR_PAD", (x, paddings), dims, mode="REFLECT")
    if mode != "constant":
        raise Refusal(f"mode {mode} has no kernel")
    if x.dtype is not DType.FLOAT32:
        raise Refusal("bytes are padded in float only")
    older = layer.attribute("value", 0.0)
    value = layer.scalar(2, 0.0) if layer.opset >= 11 else older
    if value == 0:
        return layer.emit("PAD", (x, paddings), dims)
    return layer.emit("PADV2", (x, paddings, layer.constant([value], "float32")), dims)


@reads("Expand")
def _expand(layer: Layer) -> Tensor:
    x = layer.x()
    dims = np.broadcast_shapes(x.shape, layer.ints_of(1))
    return x if dims == x.shape else layer.emit("BROADCAST_TO", (x, layer.constant(dims)), dims)


@reads("Tile")
def _tile(layer: Layer) -> Tensor:
    x, times = layer.x(), layer.ints_of(1)
    if len(times) != len(x.shape):
        raise Refusal(f"{len(times)} repetitions of {len(x.shape)} dimensions")
    dims = tuple(size * count for size, count in zip(x.shape, times, strict=True))
    return layer.emit("TILE", (x, layer.constant(times)), dims)
