"""PAD: a frame of zeros (of the zero point) around a tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs, wanted_quant
from tinysim.compiler.ops._frame import frame, middle, wanted_paddings
from tinysim.compiler.ops._movement import QUANTIZED, Move, Movement, wanted_inputs


@dataclass(frozen=True)
class Pad(Movement):
    """Shapes: input ``[...]``, paddings ``[rank, 2]`` (before, after), constant."""

    tflite = "PAD"

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and that the output has the padded shape."""
        if problems := list(wanted_inputs(inputs, 2)):
            yield from problems
            return
        yield from wanted_paddings(inputs, outputs)
        if outputs[0].dtype in QUANTIZED:
            yield from wanted_quant(outputs[0], "output")

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Write the frame, then the middle."""
        x, target = inputs[0], targets[0]
        assert x is not None
        zero = np.array(x.zero_point if x.dtype in QUANTIZED else 0, target.dtype)
        for box in frame(inputs, target):
            yield np.broadcast_to(zero, target[box].shape), target[box]
        yield sources[0], target[middle(inputs, target)]
