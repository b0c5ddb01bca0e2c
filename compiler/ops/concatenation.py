"""CONCATENATION: tensors side by side along an axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs, Options
from tinysim.compiler.ops._movement import Move, Movement, same_kind, wanted_axis


@dataclass(frozen=True)
class Concatenation(Movement):
    """Shapes: equal but for ``axis``, where the output has the sum of the inputs."""

    tflite = "CONCATENATION"

    axis: int
    activation: str = "NONE"

    @classmethod
    def from_tflite(cls, options: Options) -> Concatenation:
        """Take the axis and the fused activation."""
        return cls(options["Axis"], options["FusedActivationFunction"])

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, quantization, axis and ranks."""
        yield from same_kind(inputs, outputs)
        if self.activation != "NONE":
            yield f"fused activation {self.activation} has no kernel"
        rank = len(outputs[0].shape)
        yield from wanted_axis(self.axis, rank)
        if any(tensor is not None and len(tensor.shape) != rank for tensor in inputs):
            yield "inputs and output differ in rank"

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Give every input its stretch of the axis."""
        start, target = 0, targets[0]
        axis = self.axis % target.ndim
        for source in sources:
            stop = start + source.shape[axis]
            yield source, target[(slice(None),) * axis + (slice(start, stop),)]
            start = stop
