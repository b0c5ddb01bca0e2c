"""TILE: a tensor repeated along its dimensions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs
from tinysim.compiler.ops._movement import (
    Move,
    Movement,
    numbers,
    same_kind,
    wanted_inputs,
    wanted_numbers,
)


@dataclass(frozen=True)
class Tile(Movement):
    """Inputs: tensor ``[...]``, repetitions ``[rank]`` (constant)."""

    tflite = "TILE"

    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, and that the output has the input's size times the repetitions."""
        problems = list(wanted_inputs(inputs, 2))
        if not problems:
            x, times = inputs
            problems += same_kind((x,), outputs)
            rank = None if x is None else len(x.shape)
            problems += wanted_numbers(times, "repetitions", rank)
            if not problems and x is not None:
                shape = tuple(a * b for a, b in zip(x.shape, numbers(times), strict=True))
                if shape != outputs[0].shape:
                    problems.append(f"output is {list(outputs[0].shape)}, expected {list(shape)}")
        yield from problems

    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Give each dimension another one before it, along which the input repeats."""
        source, times = sources[0], numbers(inputs[1])
        pairs = zip(times, source.shape, strict=True)
        shape = [size for pair in pairs for size in pair]
        spread = source[tuple(entry for _ in times for entry in (None, slice(None)))]
        yield np.broadcast_to(spread, shape), targets[0].reshape(shape)
