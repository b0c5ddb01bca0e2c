"""STRIDED_SLICE: NumPy's basic indexing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs, Options
from tinysim.compiler.ops._movement import (
    Move,
    Movement,
    numbers,
    same_kind,
    wanted_inputs,
    wanted_numbers,
)

Index = int | slice | EllipsisType | None


@dataclass(frozen=True)
class StridedSlice(Movement):
    """Inputs: tensor, begin, end, strides (constant); bit ``i`` of a mask is about entry ``i``."""

    tflite = "STRIDED_SLICE"

    begin_mask: int = 0
    end_mask: int = 0
    ellipsis_mask: int = 0
    new_axis_mask: int = 0
    shrink_axis_mask: int = 0
    offset: bool = False

    @classmethod
    def from_tflite(cls, options: Options) -> StridedSlice:
        """Take the masks, and whether ends count from begins."""
        return cls(
            options["BeginMask"],
            options["EndMask"],
            options["EllipsisMask"],
            options["NewAxisMask"],
            options["ShrinkAxisMask"],
            bool(options["Offset"]),
        )

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and that every entry of the index means a dimension."""
        problems = list(wanted_inputs(inputs, 4))
        if not problems:
            x, begin, end, strides = inputs
            problems += same_kind((x,), outputs)
            count = None if begin is None else begin.elements
            for tensor, role in ((begin, "begin"), (end, "end"), (strides, "strides")):
                problems += wanted_numbers(tensor, role, count)
            if self.offset:
                problems.append("ends that count from begins have no kernel")
            if not problems and x is not None:
                problems += self._bad_index(x.shape, inputs)
        yield from problems

    def _bad_index(self, shape: tuple[int, ...], inputs: Inputs) -> Iterator[str]:
        """Yield what NumPy would refuse."""
        if 0 in numbers(inputs[3]):
            yield "a stride is 0"
            return
        index = self.index(inputs)
        taken = [entry for entry in index if entry is not None and entry is not ...]
        if index.count(...) > 1 or len(taken) > len(shape):
            yield f"an index of {len(index)} entries does not go with {list(shape)}"
            return
        before = index.index(...) if ... in index else len(index)
        first = [entry for entry in index[:before] if entry is not None]
        # Those behind an ellipsis are the last dimensions.
        sizes = [*shape[: len(first)], *shape[len(shape) - (len(taken) - len(first)) :]]
        for entry, size in zip(taken, sizes, strict=False):
            if isinstance(entry, int) and not -size <= entry < size:
                yield f"index {entry} is outside a dimension of {size}"

    def index(self, inputs: Inputs) -> list[Any]:
        """Return the index as NumPy takes it; a single place may be masked to be the first."""
        index: list[Index] = []
        rows = zip(*(numbers(tensor) for tensor in inputs[1:]), strict=True)
        for bit, (begin, end, stride) in enumerate(rows):
            is_open = bool(self.begin_mask >> bit & 1)
            if self.ellipsis_mask >> bit & 1:
                index.append(...)
            elif self.new_axis_mask >> bit & 1:
                index.append(None)
            elif self.shrink_axis_mask >> bit & 1:
                index.append((0 if stride > 0 else -1) if is_open else begin)
            else:
                stop = None if self.end_mask >> bit & 1 else end
                index.append(slice(None if is_open else begin, stop, stride))
        return index

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Move what is indexed."""
        index = self.index(inputs)
        yield sources[0][tuple(index if ... in index else [*index, ...])], targets[0]
