"""MIRROR_PAD: a frame in which a tensor is mirrored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs, Options
from tinysim.compiler.ops._frame import middle, wanted_paddings, widths
from tinysim.compiler.ops._movement import Move, Movement, wanted_inputs


@dataclass(frozen=True)
class MirrorPad(Movement):
    """As PAD; the mirror stands on the outermost element (REFLECT) or behind it (SYMMETRIC)."""

    tflite = "MIRROR_PAD"

    mode: str

    @classmethod
    def from_tflite(cls, options: Options) -> MirrorPad:
        """Take the mode; REFLECT is the default."""
        return cls(options["Mode"] or "REFLECT")

    @property
    def _skipped(self) -> int:
        """Elements at the mirror that are not repeated."""
        return 1 if self.mode == "REFLECT" else 0

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shape and that there is enough to mirror."""
        problems = list(wanted_inputs(inputs, 2))
        if self.mode not in ("REFLECT", "SYMMETRIC"):
            problems.append(f"mode {self.mode} has no kernel")
        if not problems:
            problems += wanted_paddings(inputs, outputs)
            x = inputs[0]
            if not problems and x is not None:
                for size, pair in zip(x.shape, widths(inputs), strict=True):
                    if max(pair) > size - self._skipped:
                        problems.append(f"paddings {list(pair)} mirror more than {size} elements")
        yield from problems

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Write the middle, then mirror what is there, from the last dimension to the first."""
        target, box = targets[0], middle(inputs, targets[0])
        yield sources[0], target[box]
        for axis in reversed(range(target.ndim)):
            before, after = widths(inputs)[axis]
            view = target[box[:axis]].swapaxes(axis, 0)
            first, last = box[axis].start, box[axis].stop
            if before:
                near = first + self._skipped
                yield view[near : near + before][::-1], view[:before]
            if after:
                near = last - self._skipped
                yield view[near - after : near][::-1], view[last:]
