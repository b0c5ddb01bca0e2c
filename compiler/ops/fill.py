"""FILL: one value everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs
from tinysim.compiler.ops._movement import Move, Movement, same_kind, wanted_inputs


@dataclass(frozen=True)
class Fill(Movement):
    """Inputs: shape (the output's, not read), value (one element)."""

    tflite = "FILL"

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and that there is one value."""
        if problems := list(wanted_inputs(inputs, 2)):
            yield from problems
            return
        yield from same_kind(inputs[1:], outputs)
        if inputs[1] is not None and inputs[1].elements != 1:
            yield f"value has {inputs[1].elements} elements, expected 1"

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Repeat the value."""
        value = inputs[1]
        assert value is not None
        filling = (sources[1] if value.data is None else value.data).reshape(())
        yield np.broadcast_to(filling, targets[0].shape), targets[0]
