"""What leaving zeros out brings: flash, cycles and energy of every encoding beside dense weights.

``compare`` says it of a model, layer by layer; ``break_even`` of one layer's shape, over densities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinysim.boards import load_board
from tinysim.compiler.graph import Graph
from tinysim.lab.sparse_bench import DENSE, Bench, Cost, Shape

#: Shares of non-zeros that ``break_even`` measures at: between them costs are nearly lines.
DENSITIES = (0.02, 0.1, 0.2, 0.3, 0.85)


@dataclass(frozen=True)
class Layer:
    """A layer with weights that may be stored in several ways: by way, what it takes.

    ``constant_bytes`` are weights and tables; code is not counted, for layers share it. Ways that
    would save nothing, as few weights are zero, are left out. ``chosen`` is the way that
    ``--sparse auto`` takes.
    """

    index: int
    name: str
    shape: Shape
    weights: int
    non_zeros: int
    constant_bytes: Mapping[str, int]
    cycles: Mapping[str, int]
    energy_j: Mapping[str, float | None]
    chosen: str

    @property
    def density(self) -> float:
        """Share of weights that are not zero."""
        return self.non_zeros / self.weights


@dataclass(frozen=True)
class Comparison:
    """A model on a board, its layers stored in one way after the other.

    ``whole`` is by way, each of which takes all layers that it can take; ``auto`` is what
    ``--sparse auto`` makes of the model.
    """

    board: str
    optimize: str
    layers: tuple[Layer, ...]
    whole: Mapping[str, Cost]
    auto: Cost


@dataclass(frozen=True)
class Curve:
    """One layer on a board: for each density, what each way takes."""

    shape: Shape
    board: str
    optimize: str
    costs: Mapping[float, Mapping[str, Cost]]

    def wins_below(self, way: str, cost: str) -> float:
        """Return the density below which ``way`` takes less than dense of ``cost``, a field.

        Between two densities costs are taken for a line; 0 if it does not win even at the least
        that was measured, the largest that was measured with it if it always does.
        """
        before = None
        for density in sorted(one for one in self.costs if way in self.costs[one]):
            gap = _value(self.costs[density][way], cost) - _value(self.costs[density][DENSE], cost)
            if gap >= 0:
                if before is None:
                    return 0.0
                lower, least = before
                return lower + (density - lower) * -least / (gap - least)
            before = density, gap
        return 0.0 if before is None else before[0]


def compare(model: Graph, name: str, board: str, optimize: str = "balanced") -> Comparison:
    """Measure a model with all its layers dense, in each encoding, and as ``auto`` has it.

    Raises
    ------
    TinysimError
        If the model cannot be compiled, or not run.
    """
    bench = Bench(model, name, load_board(board), optimize)
    found = {way: bench.run(way) for way in bench.ways()}
    constant_bytes = {way: bench.constant_bytes(way) for way in found}
    chosen = bench.chosen()
    layers = []
    for index, node in enumerate(bench.lowered.nodes):
        shape = Shape.of(node)
        if shape is None or not _is_encodable(shape, board):
            continue
        filter_ = node.inputs[1]
        assert filter_ is not None and filter_.data is not None
        cycles = {way: found[way].layer_cycles[index] for way in bench.ways(index)}
        layers.append(
            Layer(
                index=index,
                name=node.name,
                shape=shape,
                weights=filter_.elements,
                non_zeros=int(np.count_nonzero(filter_.data)),
                constant_bytes={way: constant_bytes[way][index] for way in cycles},
                cycles=cycles,
                energy_j={way: bench.energy_j(count) for way, count in cycles.items()},
                chosen=chosen[index],
            )
        )
    return Comparison(
        board=board,
        optimize=optimize,
        layers=tuple(layers),
        whole={way: run.cost for way, run in found.items()},
        auto=bench.run_auto().cost,
    )


def break_even(
    shape: Shape,
    board: str,
    optimize: str = "balanced",
    densities: Sequence[float] = DENSITIES,
    seed: int = 0,
) -> Curve:
    """Measure a layer of random weights, dense and in each encoding, at each density."""
    description, costs = load_board(board), {}
    for density in densities:
        bench = Bench(shape.graph(density, seed), "layer", description, optimize)
        costs[density] = {way: bench.run(way).cost for way in bench.ways()}
    return Curve(shape, board, optimize, costs)


def _is_encodable(shape: Shape, board: str) -> bool:
    """Whether encodings can take a layer if most of its weights are zero."""
    graph = shape.graph(DENSITIES[0], seed=0)
    return len(Bench(graph, "layer", load_board(board), "balanced").ways()) > 1


def _value(cost: Cost, name: str) -> float:
    return float(getattr(cost, name))
