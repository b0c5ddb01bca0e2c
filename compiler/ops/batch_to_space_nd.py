"""BATCH_TO_SPACE_ND: images of a batch interleaved to larger ones, then cropped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs
from tinysim.compiler.ops._movement import (
    Move,
    Movement,
    numbers,
    same_kind,
    wanted_inputs,
    wanted_numbers,
)


@dataclass(frozen=True)
class BatchToSpaceNd(Movement):
    """Inputs: ``[prod(block) * N, S.., C..]``, block, crops ``[len(block), 2]`` (constant)."""

    tflite = "BATCH_TO_SPACE_ND"

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and that the output has the cropped shape."""
        problems = list(wanted_inputs(inputs, 3))
        if not problems:
            x, block, crops = inputs
            problems += [*same_kind((x,), outputs), *wanted_numbers(block, "block")]
            problems += wanted_numbers(crops, "crops", 2 * block.elements if block else None)
            if not problems and x is not None:
                problems += _misfits(x, numbers(block), numbers(crops), outputs[0])
        yield from problems

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Give each image of a block its pixels; all that it has may be cropped."""
        source, target, block = sources[0], targets[0], numbers(inputs[1])
        before = numbers(inputs[2])[::2]
        n = target.shape[0]
        for image, place in enumerate(np.ndindex(*block)):
            taken, given = [slice(image * n, (image + 1) * n)], [slice(None)]
            for axis, (step, at, crop) in enumerate(zip(block, place, before, strict=True), 1):
                first = max(0, -(-(crop - at) // step))
                start = first * step + at - crop
                count = max(0, -(-(target.shape[axis] - start) // step))
                taken.append(slice(first, first + count))
                given.append(slice(start, None, step))
            piece = target[tuple(given)]
            if piece.size:
                yield source[tuple(taken)], piece


def _misfits(x: Tensor, block: list[int], crops: list[int], out: Tensor) -> Iterator[str]:
    """Yield a problem unless ``out`` is ``x`` in larger, cropped images."""
    if min([*block, 1]) < 1 or min([*crops, 0]) < 0 or len(block) >= len(x.shape):
        yield f"block {block} and crops {crops} do not go with {list(x.shape)}"
        return
    size = int(np.prod(block, dtype=object)) if block else 1
    shape = [x.shape[0] // size, *x.shape[1:]]
    for axis, step in enumerate(block, 1):
        shape[axis] = shape[axis] * step - crops[2 * axis - 2] - crops[2 * axis - 1]
    if x.shape[0] % size or out.shape != tuple(shape):
        yield f"output is {list(out.shape)}, expected {shape}"
