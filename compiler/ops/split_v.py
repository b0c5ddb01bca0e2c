"""SPLIT_V: a tensor cut along an axis into pieces of any lengths."""

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
    wanted_axis,
    wanted_inputs,
    wanted_numbers,
)


def pieces(source: Array, axis: int, targets: Sequence[Array]) -> Iterator[Move]:
    """Yield the stretches of an axis that go to ``targets``, as long as these are."""
    start = 0
    for target in targets:
        stop = start + target.shape[axis]
        yield source[(slice(None),) * axis + (slice(start, stop),)], target
        start = stop


def wanted_pieces(
    x: Tensor | None, axis: Tensor | None, outputs: tuple[Tensor, ...]
) -> Iterator[str]:
    """Yield a problem unless the outputs are the pieces of ``x`` along a constant axis."""
    problems = [*same_kind((x,), outputs), *wanted_numbers(axis, "axis", 1)]
    yield from problems
    if problems or x is None:
        return
    rank = len(x.shape)
    yield from wanted_axis(numbers(axis)[0], rank)
    if any(len(output.shape) != rank for output in outputs):
        yield "input and outputs differ in rank"


@dataclass(frozen=True)
class SplitV(Movement):
    """Inputs: tensor, lengths, axis (the latter two constant)."""

    tflite = "SPLIT_V"
    output_count = None

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and axis, and that the lengths are those of the outputs."""
        if problems := list(wanted_inputs(inputs, 3)):
            yield from problems
            return
        problems = [
            *wanted_pieces(inputs[0], inputs[2], outputs),
            *wanted_numbers(inputs[1], "lengths", len(outputs)),
        ]
        yield from problems
        if problems:
            return
        axis = numbers(inputs[2])[0]
        found = [output.shape[axis] for output in outputs]
        given = numbers(inputs[1])
        if any(length not in (-1, size) for length, size in zip(given, found, strict=True)):
            yield f"pieces are {found} long, expected {given}"

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Give every output its stretch of the axis."""
        yield from pieces(sources[0], numbers(inputs[2])[0] % sources[0].ndim, targets)
