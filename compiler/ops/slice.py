"""SLICE: a box out of a tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
class Slice(Movement):
    """Inputs: tensor, begin and size (constant); a size of -1 goes to the end."""

    tflite = "SLICE"

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and that the box lies in the input."""
        problems = list(wanted_inputs(inputs, 3))
        if not problems:
            x, begin, size = inputs
            problems += same_kind((x,), outputs)
            rank = None if x is None else len(x.shape)
            problems += wanted_numbers(begin, "begin", rank)
            problems += wanted_numbers(size, "size", rank)
            if not problems and x is not None:
                box = zip(x.shape, numbers(begin), numbers(size), strict=True)
                if not all(
                    0 <= first < extent and -1 <= length <= extent - first
                    for extent, first, length in box
                ):
                    problems.append(
                        f"{numbers(size)} from {numbers(begin)} on is not in {list(x.shape)}"
                    )
        yield from problems

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Move the box."""
        box = zip(numbers(inputs[1]), numbers(inputs[2]), strict=True)
        index = tuple(slice(first, None if n == -1 else first + n) for first, n in box)
        yield sources[0][index], targets[0]
