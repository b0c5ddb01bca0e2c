"""SELECT: one of two tensors, element by element or row by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, wanted_shape
from tinysim.compiler.ops.select_v2 import SelectV2


@dataclass(frozen=True)
class Select(SelectV2):
    """``out = a if condition else b``, of one shape.

    The condition has that shape too, or is one element, or a vector that chooses among rows: it
    counts along the first dimension, where SELECT_V2 would broadcast it along the last.
    """

    tflite = "SELECT"

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check what SELECT_V2 does, and that nothing but the condition broadcasts."""
        yield from super().problems(_by_rows(inputs), outputs)
        for tensor in inputs[1:]:
            yield from wanted_shape(tensor, "choice", outputs[0].shape)

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Choose in numpy."""
        condition = _by_rows(inputs)[0]
        assert condition is not None and values[0] is not None
        chosen = np.broadcast_to(values[0].reshape(condition.shape), outputs[0].shape)
        return super().reference(inputs, outputs, (chosen, *values[1:]))

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernels of SELECT_V2."""
        return super().lower(_by_rows(inputs), outputs)


def _by_rows(inputs: Inputs) -> Inputs:
    """Return the inputs, a vector of conditions as a column."""
    condition, choice = (*inputs, None, None)[:2]
    if condition is None or choice is None or len(condition.shape) != 1:
        return inputs
    column = (*condition.shape, *[1] * (len(choice.shape) - 1))
    return (replace(condition, shape=column), *inputs[1:])
