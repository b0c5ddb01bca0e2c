"""What PAD, PADV2 and MIRROR_PAD share: an input in the middle of a larger output."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs
from tinysim.compiler.ops._movement import numbers, same_kind, wanted_numbers

Box = tuple[slice, ...]


def wanted_paddings(inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
    """Yield a problem unless the output is input 0 in a frame of constant widths, input 1."""
    x, paddings = inputs[:2]
    problems = [*same_kind((x,), outputs), *wanted_numbers(paddings, "paddings")]
    yield from problems
    if problems or x is None or paddings is None:
        return
    if paddings.shape != (len(x.shape), 2):
        yield f"paddings {list(paddings.shape)} do not go with {list(x.shape)}"
    elif min(numbers(paddings), default=0) < 0:
        yield "negative paddings have no kernel"
    elif outputs[0].shape != tuple(
        size + before + after for size, (before, after) in zip(x.shape, widths(inputs), strict=True)
    ):
        yield f"output {list(outputs[0].shape)} is not the padded input"


def widths(inputs: Inputs) -> list[tuple[int, int]]:
    """Return the widths of the frame before and behind each dimension."""
    pairs = np.reshape(numbers(inputs[1]), (-1, 2)).tolist()
    return [(before, after) for before, after in pairs]


def middle(inputs: Inputs, target: Array) -> Box:
    """Return where the input is in the output."""
    return tuple(
        slice(before, size - after)
        for size, (before, after) in zip(target.shape, widths(inputs), strict=True)
    )


def frame(inputs: Inputs, target: Array) -> Iterator[Box]:
    """Yield boxes that are the frame; none meets another."""
    yield from around(middle(inputs, target), target)


def around(box: Box, target: Array) -> Iterator[Box]:
    """Yield boxes that are all of ``target`` but ``box``; none meets another."""
    for axis, inner in enumerate(box):
        for part in (slice(0, inner.start), slice(inner.stop, target.shape[axis])):
            if part.start < part.stop:
                rest = (slice(None),) * (target.ndim - axis - 1)
                yield (*box[:axis], part, *rest)
