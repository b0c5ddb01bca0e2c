"""SPACE_TO_BATCH_ND: padded images, of which every pixel of a block goes to an image of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs, wanted_quant
from tinysim.compiler.ops._frame import around
from tinysim.compiler.ops._movement import (
    QUANTIZED,
    Move,
    Movement,
    numbers,
    same_kind,
    wanted_inputs,
    wanted_numbers,
)


@dataclass(frozen=True)
class SpaceToBatchNd(Movement):
    """Inputs: ``[N, S.., C..]``, block, paddings ``[len(block), 2]`` (constant).

    The padding is the zero point, as in TFLite; TFLM takes what it finds in its memory.
    """

    tflite = "SPACE_TO_BATCH_ND"

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and that the output has the padded shape."""
        problems = list(wanted_inputs(inputs, 3))
        if not problems:
            x, block, paddings = inputs
            problems += [*same_kind((x,), outputs), *wanted_numbers(block, "block")]
            problems += wanted_numbers(paddings, "paddings", 2 * block.elements if block else None)
            if outputs[0].dtype in QUANTIZED:
                problems += wanted_quant(outputs[0], "output")
            if not problems and x is not None:
                problems += _misfits(x, numbers(block), numbers(paddings), outputs[0])
        yield from problems

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Give each pixel of a block its images: their frame, then what is of the input."""
        x, block = inputs[0], numbers(inputs[1])
        before = numbers(inputs[2])[::2]
        assert x is not None
        zero = np.array(x.zero_point if x.dtype in QUANTIZED else 0, targets[0].dtype)
        n = x.shape[0]
        for image, place in enumerate(np.ndindex(*block)):
            target = targets[0][image * n : (image + 1) * n]
            taken, given = [slice(0, n)], [slice(0, n)]
            for axis, (step, at, pad) in enumerate(zip(block, place, before, strict=True), 1):
                first = min(max(0, -(-(pad - at) // step)), target.shape[axis])
                start = first * step + at - pad
                count = len(range(start, x.shape[axis], step))
                taken.append(slice(start, None, step))
                given.append(slice(first, first + count))
            for box in around(tuple(given), target):
                if target[box].size:
                    yield np.broadcast_to(zero, target[box].shape), target[box]
            if target[tuple(given)].size:
                yield sources[0][tuple(taken)], target[tuple(given)]


def _misfits(x: Tensor, block: list[int], paddings: list[int], out: Tensor) -> Iterator[str]:
    """Yield a problem unless ``out`` is ``x``, padded, in smaller images."""
    if min([*block, 1]) < 1 or min([*paddings, 0]) < 0 or len(block) >= len(x.shape):
        yield f"block {block} and paddings {paddings} do not go with {list(x.shape)}"
        return
    padded = list(x.shape)
    for axis in range(len(block)):
        padded[axis + 1] += paddings[2 * axis] + paddings[2 * axis + 1]
    size = int(np.prod(block, dtype=object)) if block else 1
    steps = [1, *block, *[1] * (len(padded) - len(block) - 1)]
    shape = [extent // step for extent, step in zip(padded, steps, strict=True)]
    shape[0] *= size
    divides = not any(extent % step for extent, step in zip(padded, steps, strict=True))
    if not divides or out.shape != tuple(shape):
        yield f"output is {list(out.shape)}, expected {padded} in blocks of {block}"
