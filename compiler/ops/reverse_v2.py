"""REVERSE_V2: dimensions the other way round."""

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
    wanted_axis,
    wanted_inputs,
    wanted_numbers,
)


@dataclass(frozen=True)
class ReverseV2(Movement):
    """Inputs: tensor, axes (constant)."""

    tflite = "REVERSE_V2"

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and axes."""
        problems = list(wanted_inputs(inputs, 2))
        if not problems:
            problems += [*same_kind(inputs[:1], outputs), *wanted_numbers(inputs[1], "axes")]
            x = inputs[0]
            if not problems and x is not None:
                rank, axes = len(x.shape), numbers(inputs[1])
                for axis in axes:
                    problems += wanted_axis(axis, rank)
                if not problems and len({axis % rank for axis in axes}) != len(axes):
                    problems.append("an axis is named twice")
        yield from problems

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Read from the other end."""
        yield np.flip(sources[0], tuple(numbers(inputs[1]))), targets[0]
