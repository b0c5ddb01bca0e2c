"""PADV2: a frame of a given value around a tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs
from tinysim.compiler.ops._frame import frame, middle, wanted_paddings
from tinysim.compiler.ops._movement import Move, Movement, same_kind, wanted_inputs


@dataclass(frozen=True)
class PadV2(Movement):
    """Inputs: tensor, paddings ``[rank, 2]`` (before, after; constant), value (one element)."""

    tflite = "PADV2"

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and that the output has the padded shape."""
        if problems := list(wanted_inputs(inputs, 3)):
            yield from problems
            return
        yield from wanted_paddings(inputs, outputs)
        yield from same_kind(inputs[2:], outputs)
        if inputs[2] is not None and inputs[2].elements != 1:
            yield f"value has {inputs[2].elements} elements, expected 1"

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Write the frame, then the middle."""
        value, target = inputs[2], targets[0]
        assert value is not None
        # A constant is written in words, so it is given as one.
        filling = (sources[2] if value.data is None else value.data).reshape(())
        for box in frame(inputs, target):
            yield np.broadcast_to(filling, target[box].shape), target[box]
        yield sources[0], target[middle(inputs, target)]
