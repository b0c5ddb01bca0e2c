"""DEPTH_TO_SPACE: channels become blocks of pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs, Options
from tinysim.compiler.ops._movement import Move, Movement, same_kind, wanted_inputs


def blocks(image: Array, block: int) -> Array:
    """View ``[N, H * block, W * block, C]`` as ``[N, H, W, block, block, C]``."""
    n, h, w, c = image.shape
    view = image.reshape(n, h // block, block, w // block, block, c)
    return view.transpose(0, 1, 3, 2, 4, 5)


def wanted_blocks(fine: Tensor | None, coarse: Tensor | None, block: int) -> Iterator[str]:
    """Yield a problem unless ``coarse`` has the blocks of pixels of ``fine`` as channels."""
    if fine is None or coarse is None:
        return
    if block < 1:
        yield f"block size is {block}"
    elif len(fine.shape) != 4 or len(coarse.shape) != 4:
        yield "input and output must have 4 dimensions"
    else:
        n, h, w, c = coarse.shape
        if c % (block * block) or fine.shape != (n, h * block, w * block, c // (block * block)):
            yield f"{list(coarse.shape)} and {list(fine.shape)} do not differ by blocks of {block}"


@dataclass(frozen=True)
class DepthToSpace(Movement):
    """Shapes: input ``[N, H, W, b * b * C]``, output ``[N, H * b, W * b, C]``."""

    tflite = "DEPTH_TO_SPACE"

    block: int

    @classmethod
    def from_tflite(cls, options: Options) -> DepthToSpace:
        """Take the block size."""
        return cls(options["BlockSize"])

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and shapes."""
        yield from wanted_inputs(inputs, 1)
        yield from same_kind(inputs, outputs)
        yield from wanted_blocks(outputs[0], inputs[0], self.block)

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Move pixels of blocks."""
        target = blocks(targets[0], self.block)
        yield sources[0].reshape(target.shape), target
