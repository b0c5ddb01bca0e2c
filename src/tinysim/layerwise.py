"""The device's layers one by one against the host's: where outputs begin to differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tinysim.agreement import FLOAT_STEPS, distances
from tinysim.boards import Board, load_board
from tinysim.compiler import Choices, compile_model
from tinysim.compiler.reference import Reference
from tinysim.simulator import Session, check_inputs, random_inputs
from tinysim.simulator.cores import load_core
from tinysim.simulator.machine import Limits

Arrays = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class LayerDifference:
    """One output of one layer on the device beside the host's.

    ``steps`` counts elements by how far they lie apart: in steps of the integer type, or in units
    in the last place of the largest magnitude for floats, rounded up. 0 are equal elements.
    """

    index: int
    name: str
    op: str
    kernel: str
    shape: tuple[int, ...]
    dtype: str
    steps: Mapping[int, int]

    @property
    def differing(self) -> int:
        """Number of elements that differ."""
        return sum(count for distance, count in self.steps.items() if distance)

    @property
    def worst(self) -> int:
        """The largest distance."""
        return max(self.steps, default=0)

    @property
    def is_wrong(self) -> bool:
        """Whether this is more than floats rounded otherwise."""
        limit = FLOAT_STEPS if self.dtype.startswith("float") else 0
        return self.worst > limit


def first_difference(layers: Sequence[LayerDifference]) -> LayerDifference | None:
    """Return the first layer that is wrong, else the first that differs at all."""
    wrong = (layer for layer in layers if layer.is_wrong)
    differing = (layer for layer in layers if layer.differing)
    return next(wrong, None) or next(differing, None)


def compare_layers(
    model: str | Path,
    board: str | Board,
    *,
    inputs: Arrays | None = None,
    choices: Choices | None = None,
    limits: Limits | None = None,
) -> tuple[LayerDifference, ...]:
    """Run a model layer by layer on an emulated board and compare every layer's outputs.

    The host computes each layer from its own results, so that a difference shows where it arises
    and how it spreads.

    Raises
    ------
    TinysimError
        With where, what and how to fix it.
    """
    description = load_board(board) if isinstance(board, str) else board
    core = load_core(description.core)
    compilation = compile_model(Path(model), description, core.target, choices or Choices())
    infos = compilation.firmware.inputs
    ready = check_inputs(infos, inputs or random_inputs(infos), Path(model).name)
    session = Session(compilation.firmware, description, core, limits)
    host = Reference(compilation.lowered).trace(ready)
    found = []
    for layer, device in zip(compilation.firmware.layers, session.trace(ready), strict=True):
        for info, value, expected in zip(layer.outputs, device, next(host), strict=True):
            found.append(
                LayerDifference(
                    index=layer.index,
                    name=layer.name,
                    op=layer.op,
                    kernel=layer.kernel,
                    shape=info.shape,
                    dtype=info.dtype,
                    steps=dict(Counter(distances(expected, value).ravel().tolist())),
                )
            )
    return tuple(found)
