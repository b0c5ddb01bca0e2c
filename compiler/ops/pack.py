"""PACK: tensors of one shape stacked along a new axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs, Options
from tinysim.compiler.ops._movement import Move, Movement, same_kind, wanted_axis


@dataclass(frozen=True)
class Pack(Movement):
    """Shapes: ``[...]`` each, output ``[..., number of inputs, ...]``."""

    tflite = "PACK"

    axis: int

    @classmethod
    def from_tflite(cls, options: Options) -> Pack:
        """Take the axis, which is one of the output."""
        return cls(options["Axis"])

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, axis and that the output has a place for each input."""
        yield from same_kind(inputs, outputs)
        problems = list(wanted_axis(self.axis, len(outputs[0].shape)))
        yield from problems
        if not problems and outputs[0].shape[self.axis] != len(inputs):
            yield f"output {list(outputs[0].shape)} has no place for each of {len(inputs)} inputs"

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Give every input its place."""
        axis = self.axis % targets[0].ndim
        for index, source in enumerate(sources):
            yield source, targets[0][(slice(None),) * axis + (index, ...)]
