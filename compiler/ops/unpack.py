"""UNPACK: a tensor taken apart along an axis, which disappears."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs, Options
from tinysim.compiler.ops._movement import Move, Movement, same_kind, wanted_axis, wanted_inputs


@dataclass(frozen=True)
class Unpack(Movement):
    """Shapes: input ``[..., number of outputs, ...]``, ``[...]`` each output."""

    tflite = "UNPACK"
    output_count = None

    axis: int

    @classmethod
    def from_tflite(cls, options: Options) -> Unpack:
        """Take the axis."""
        return cls(options["Axis"])

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, axis and that there is an output for each place."""
        problems = [*wanted_inputs(inputs, 1), *same_kind(inputs, outputs)]
        x = inputs[0]
        if not problems and x is not None:
            problems += wanted_axis(self.axis, len(x.shape))
            if not problems and x.shape[self.axis] != len(outputs):
                problems.append(f"input {list(x.shape)} is taken apart into {len(outputs)} outputs")
        yield from problems

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Give every output its slice."""
        axis = self.axis % sources[0].ndim
        for index, target in enumerate(targets):
            yield sources[0][(slice(None),) * axis + (index, ...)], target
