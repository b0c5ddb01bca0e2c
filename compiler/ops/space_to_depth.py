"""SPACE_TO_DEPTH: blocks of pixels become channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs, Options
from tinysim.compiler.ops._movement import Move, Movement, same_kind, wanted_inputs
from tinysim.compiler.ops.depth_to_space import blocks, wanted_blocks


@dataclass(frozen=True)
class SpaceToDepth(Movement):
    """Shapes: input ``[N, H * b, W * b, C]``, output ``[N, H, W, b * b * C]``."""

    tflite = "SPACE_TO_DEPTH"

    block: int

    @classmethod
    def from_tflite(cls, options: Options) -> SpaceToDepth:
        """Take the block size."""
        return cls(options["BlockSize"])

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and shapes."""
        yield from wanted_inputs(inputs, 1)
        yield from same_kind(inputs, outputs)
        yield from wanted_blocks(inputs[0], outputs[0], self.block)

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Move pixels of blocks."""
        source = blocks(sources[0], self.block)
        yield source, targets[0].reshape(source.shape)
