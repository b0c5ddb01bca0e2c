"""What leaving zeros out brings: flash, cycles and energy of every encoding beside dense weights.

``compare`` says it of a model, layer by layer; ``break_even`` of one layer's shape, over densities.
All numbers are of images that were linked and run: code is part of flash, and every output was
compared with the host's own inference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinysim.agreement import check_outputs
from tinysim.boards import Board, load_board
from tinysim.compiler import DEFAULT, Choices, compile_graph
from tinysim.compiler.graph import DType, Graph, Node, Quant, Tensor
from tinysim.compiler.ops.conv_2d import Conv2D
from tinysim.compiler.ops.fully_connected import FullyConnected
from tinysim.compiler.passes import run_passes
from tinysim.compiler.passes.rounding import with_rounding
from tinysim.compiler.readers import read_model
from tinysim.compiler.reference import Reference
from tinysim.compiler.sparse import ENCODINGS
from tinysim.compiler.variants import candidates, select
from tinysim.errors import InternalError
from tinysim.simulator import Session, random_inputs
from tinysim.simulator.cores import load_core
from tinysim.simulator.energy import energy_of

#: How weights are stored that keep their zeros.
DENSE = "dense"
#: Shares of non-zeros that ``break_even`` measures at.
DENSITIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.85)


@dataclass(frozen=True)
class Cost:
    """What an image takes of a board, and an inference of time; the weights are part of the flash.

    ``energy_j`` is None if the power of the board is not known.
    """

    flash_bytes: int
    weights_bytes: int
    ram_bytes: int
    cycles: int
    energy_j: float | None


@dataclass(frozen=True)
class Layer:
    """A layer with weights that may be stored in several ways: by way, what it takes.

    ``constant_bytes`` are weights and tables; code is not counted, for layers share it.
    """

    index: int
    name: str
    weights: int
    non_zeros: int
    constant_bytes: Mapping[str, int]
    cycles: Mapping[str, int]

    @property
    def density(self) -> float:
        """Share of weights that are not zero."""
        return self.non_zeros / self.weights

    @property
    def leanest(self) -> str:
        """The way that takes the fewest bytes."""
        return min(self.constant_bytes, key=lambda way: self.constant_bytes[way])


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
class Shape:
    """A dense layer of ``channels`` inputs, or a convolution with a square window and image."""

    outputs: int
    channels: int
    window: int = 1
    image: int = 1


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


def compare(model: Path, board: str, optimize: str = "balanced") -> Comparison:
    """Measure a model with all its layers dense, in each encoding, and as ``auto`` has it.

    Raises
    ------
    TinysimError
        If the model cannot be compiled, or not run.
    """
    bench = _Bench(read_model(model), model.name, load_board(board), optimize)
    found = {way: bench.run(bench.picks(way), "never") for way in (DENSE, *ENCODINGS)}
    layers = []
    for index in sorted({index for way in ENCODINGS for index in bench.picks(way)}):
        node = bench.lowered.nodes[index]
        filter_ = node.inputs[1]
        assert filter_ is not None and filter_.data is not None
        ways = [DENSE, *(way for way in ENCODINGS if index in bench.picks(way))]
        layers.append(
            Layer(
                index=index,
                name=node.name,
                weights=filter_.elements,
                non_zeros=int(np.count_nonzero(filter_.data)),
                constant_bytes={way: bench.constant_bytes(way)[index] for way in ways},
                cycles={way: found[way].layer_cycles[index] for way in ways},
            )
        )
    return Comparison(
        board=board,
        optimize=optimize,
        layers=tuple(layers),
        whole={way: run.cost for way, run in found.items()},
        auto=bench.run({}, "auto").cost,
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
        bench = _Bench(_graph(shape, density, seed), "layer", description, optimize)
        picks = {way: bench.picks(way) for way in (DENSE, *ENCODINGS)}
        costs[density] = {
            way: bench.run(picks[way], "never").cost for way in picks if way == DENSE or picks[way]
        }
    return Curve(shape, board, optimize, costs)


@dataclass(frozen=True)
class _Run:
    """An image that ran: what it costs, and the cycles of each layer."""

    cost: Cost
    layer_cycles: tuple[int, ...]


class _Bench:
    """A model on a board, compiled and run with candidates that are picked."""

    def __init__(self, graph: Graph, name: str, board: Board, optimize: str) -> None:
        self._graph, self._name, self._board, self._optimize = graph, name, board, optimize
        self._core = load_core(board.core)
        self._picks: dict[str, dict[int, str]] = {way: {} for way in (DENSE, *ENCODINGS)}
        self.lowered = run_passes(with_rounding(graph, DEFAULT.rounding))
        self._portable = [node.op.lower(node.inputs, node.outputs) for node in self.lowered.nodes]
        for index, calls in enumerate(self._portable):
            for call in calls:
                for one in candidates(call, self._core.target):
                    if one.sparse:
                        self._picks[one.name.rpartition("_")[2]][index] = one.name

    def picks(self, way: str) -> dict[int, str]:
        """Return, by node, the candidates that store weights in this way."""
        return self._picks[way]

    def constant_bytes(self, way: str) -> list[int]:
        """Return what the weights and tables of each node take."""
        target = self._core.target
        calls = select(self._portable, target, self._optimize, "never", self.picks(way))
        return [sum(array.nbytes for one in parts for array in one.constants) for parts in calls]

    def run(self, picks: Mapping[int, str], sparse: str) -> _Run:
        """Compile and run one inference of seeded random inputs; the outputs must be right."""
        choices = Choices(
            optimize=self._optimize, sparse=sparse, picks=tuple(sorted(picks.items()))
        )
        board, core = self._board, self._core
        compiled = compile_graph(self._graph, self._name, board, core.target, choices)
        inputs = random_inputs(compiled.firmware.inputs)
        execution = Session(compiled.firmware, board, core).infer(inputs)
        expected = Reference(compiled.graph).infer(inputs)
        if check_outputs(expected, execution.outputs).status == "mismatch":
            raise InternalError(
                "the device's output differs from the host's",
                where=f"{self._name} on {board.name}, {sparse} {dict(picks)}",
                fix="please report it with the model",
            )
        cycles = tuple(layer.counters.cycles for layer in execution.layers)
        total = sum(cycles) + execution.runtime.cycles
        energy = energy_of(total / board.clock.hz, board.power)
        sections = compiled.firmware.sections
        return _Run(
            Cost(
                flash_bytes=sum(one.flash_bytes for one in sections),
                weights_bytes=sum(one.flash_bytes for one in sections if one.cause == "weights"),
                ram_bytes=sum(one.ram_bytes for one in sections) + execution.stack_bytes,
                cycles=total,
                energy_j=None if energy is None else energy.typical_j,
            ),
            cycles,
        )


def _graph(shape: Shape, density: float, seed: int) -> Graph:
    """Return a layer of random weights, a share of which is not zero."""
    random = np.random.default_rng(seed)
    is_dense = shape.window == shape.image == 1
    ends = () if is_dense else (shape.image, shape.image)
    middle = () if is_dense else (shape.window, shape.window)
    weights = np.zeros((shape.outputs, *middle, shape.channels), np.int8)
    chosen = random.permutation(weights.size)[: round(density * weights.size)]
    weights.flat[chosen] = random.choice([-1, 1], len(chosen)) * random.integers(
        1, 128, len(chosen)
    )
    deviation = 74 * 74 * (density * weights.size / shape.outputs) ** 0.5
    x = Tensor(0, "input", (1, *ends, shape.channels), DType.INT8, Quant((1.0,), (-3,)))
    filter_ = Tensor(1, "weights", weights.shape, DType.INT8, Quant((1.0,), (0,)), data=weights)
    # Outputs of which few are clamped, as in a network.
    y = Tensor(2, "output", (1, *ends, shape.outputs), DType.INT8, Quant((deviation / 40,), (5,)))
    op = FullyConnected("NONE") if is_dense else Conv2D("SAME", 1, 1, 1, 1, "NONE")
    return Graph("layer", "", (Node("layer", op, (x, filter_, None), (y,)),), (x,), (y,))


def _value(cost: Cost, name: str) -> float:
    return float(getattr(cost, name))
