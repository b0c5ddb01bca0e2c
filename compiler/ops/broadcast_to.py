"""BROADCAST_TO: dimensions of size 1 repeated, as NumPy does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs
from tinysim.compiler.ops._movement import Move, Movement, same_kind, wanted_inputs


@dataclass(frozen=True)
class BroadcastTo(Movement):
    """Inputs: tensor, shape (the output's, not read)."""

    tflite = "BROADCAST_TO"

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and that the shapes go together."""
        problems = [*wanted_inputs(inputs, 2), *same_kind(inputs[:1], outputs)]
        x, out = inputs[0], outputs[0]
        if not problems and x is not None:
            behind = out.shape[len(out.shape) - len(x.shape) :]
            fits = len(x.shape) <= len(out.shape) and all(
                size in (1, wanted) for size, wanted in zip(x.shape, behind, strict=True)
            )
            if not fits:
                problems.append(f"{list(x.shape)} is not broadcast to {list(out.shape)}")
        yield from problems

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Repeat."""
        yield np.broadcast_to(sources[0], targets[0].shape), targets[0]
