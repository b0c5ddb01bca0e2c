"""TRANSPOSE: the dimensions in another order."""

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
class Transpose(Movement):
    """Inputs: tensor, permutation (constant); output dimension ``i`` is input ``perm[i]``."""

    tflite = "TRANSPOSE"

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and that every dimension is named once."""
        problems = list(wanted_inputs(inputs, 2))
        if not problems:
            x, order = inputs
            problems += same_kind((x,), outputs)
            problems += wanted_numbers(order, "permutation")
            if not problems and x is not None:
                rank, perm = len(x.shape), numbers(order)
                if sorted(axis + rank * (axis < 0) for axis in perm) != list(range(rank)):
                    problems.append(f"{perm} is no permutation of {rank} dimensions")
        yield from problems

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Move everything once."""
        yield sources[0].transpose(numbers(inputs[1])), targets[0]
