"""ZEROS_LIKE: zeros in the shape of the input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs
from tinysim.compiler.ops._movement import Move, Movement, same_kind, wanted_inputs


@dataclass(frozen=True)
class ZerosLike(Movement):
    """Integer zeros, also where the zero point is another (as TFLM does)."""

    tflite = "ZEROS_LIKE"

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and shapes."""
        problems = [*wanted_inputs(inputs, 1), *same_kind(inputs, outputs)]
        if not problems and inputs[0] is not None and inputs[0].shape != outputs[0].shape:
            problems.append("input and output differ in shape")
        yield from problems

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Repeat a zero."""
        yield np.broadcast_to(np.zeros((), targets[0].dtype), targets[0].shape), targets[0]
