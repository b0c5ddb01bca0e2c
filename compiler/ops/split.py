"""SPLIT: a tensor cut along an axis into pieces of one length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs
from tinysim.compiler.ops._movement import Move, Movement, numbers, wanted_inputs
from tinysim.compiler.ops.split_v import pieces, wanted_pieces


@dataclass(frozen=True)
class Split(Movement):
    """Inputs: axis (constant), tensor."""

    tflite = "SPLIT"
    output_count = None

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and axis, and that all pieces are alike."""
        if problems := list(wanted_inputs(inputs, 2)):
            yield from problems
            return
        yield from wanted_pieces(inputs[1], inputs[0], outputs)
        if any(output.shape != outputs[0].shape for output in outputs):
            yield "the outputs differ in shape"

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Give every output its stretch of the axis."""
        yield from pieces(sources[1], numbers(inputs[0])[0] % sources[1].ndim, targets)
