"""SHAPE: the sizes of a tensor's dimensions, which are known when the model is compiled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, wanted, wanted_shape
from tinysim.compiler.ops._movement import Move, Movement, wanted_inputs


@dataclass(frozen=True)
class Shape(Movement):
    """Shapes: input any, output ``[rank]``."""

    tflite = "SHAPE"
    depends_on_shapes_only = True

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check that there is an integer for each dimension."""
        if problems := list(wanted_inputs(inputs, 1)):
            yield from problems
        elif inputs[0] is None:
            yield "input is missing"
        else:
            yield from wanted(outputs[0], "output", DType.INT32, DType.INT64)
            yield from wanted_shape(outputs[0], "output", (len(inputs[0].shape),))

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Write the constant."""
        assert inputs[0] is not None
        yield np.array(inputs[0].shape, targets[0].dtype), targets[0]
