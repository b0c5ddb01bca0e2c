"""A bench for what leaves zeros out: layers to be stored in several ways, compiled and run.

All numbers are of images that were linked and run: code is part of flash, and every output was
compared with the host's own inference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tinysim.agreement import check_outputs
from tinysim.boards import Board
from tinysim.compiler import DEFAULT, Choices, compile_graph
from tinysim.compiler.graph import DType, Graph, Node, Quant, Tensor
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.ops.conv_2d import Conv2D
from tinysim.compiler.ops.fully_connected import FullyConnected
from tinysim.compiler.passes import run_passes
from tinysim.compiler.passes.rounding import with_rounding
from tinysim.compiler.reference import Reference
from tinysim.compiler.sparse import ENCODINGS
from tinysim.compiler.variants import candidates, select
from tinysim.errors import InternalError
from tinysim.simulator import Session, random_inputs
from tinysim.simulator.cores import load_core
from tinysim.simulator.energy import energy_of

#: How weights are stored that keep their zeros.
DENSE = "dense"
#: Numbers of which kernels leave out zeros.
ENCODED = (DType.INT8, DType.FLOAT32)


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
class Shape:
    """What a layer is but for its weights: the operator, and the shapes of what it reads."""

    op: Conv2D | FullyConnected
    input: tuple[int, ...]
    filter: tuple[int, ...]
    output: tuple[int, ...]
    dtype: DType = DType.INT8

    @staticmethod
    def dense(outputs: int, channels: int, dtype: DType = DType.INT8) -> Shape:
        """Return a dense layer."""
        op = FullyConnected("NONE")
        return Shape(op, (1, channels), (outputs, channels), (1, outputs), dtype)

    @staticmethod
    def convolution(
        outputs: int, channels: int, window: int, image: int, dtype: DType = DType.INT8
    ) -> Shape:
        """Return a convolution with a square window and image."""
        ends, middle = (image, image), (window, window)
        return Shape(
            op=Conv2D("SAME", 1, 1, 1, 1, "NONE"),
            input=(1, *ends, channels),
            filter=(outputs, *middle, channels),
            output=(1, *ends, outputs),
            dtype=dtype,
        )

    @staticmethod
    def of(node: Node) -> Shape | None:
        """Return the shape of a node, None if it has no weights that may be encoded."""
        if not isinstance(node.op, Conv2D | FullyConnected):
            return None
        x, filter_ = node.inputs[:2]
        if x is None or filter_ is None or filter_.data is None:
            return None
        if x.dtype not in ENCODED or filter_.dtype is not x.dtype:
            return None
        return Shape(node.op, x.shape, filter_.shape, node.outputs[0].shape, x.dtype)

    def graph(self, density: float, seed: int) -> Graph:
        """Return the layer with random weights, a share of which is not zero."""
        random = np.random.default_rng(seed)
        weights = np.zeros(self.filter, self.dtype.value)
        chosen = random.permutation(weights.size)[: round(density * weights.size)]
        weights.flat[chosen] = random.choice([-1, 1], len(chosen)) * random.integers(
            1, 128, len(chosen)
        )
        # Outputs of which few are clamped, as in a network.
        deviation = 74 * 74 * (density * weights.size / self.filter[0]) ** 0.5
        scales = {"input": Quant((1.0,), (-3,)), "weights": Quant((1.0,), (0,))}
        scales["output"] = Quant((deviation / 40,), (5,))
        quant = scales if self.dtype is DType.INT8 else dict.fromkeys(scales)
        x = Tensor(0, "input", self.input, self.dtype, quant["input"])
        filter_ = Tensor(1, "weights", self.filter, self.dtype, quant["weights"], data=weights)
        y = Tensor(2, "output", self.output, self.dtype, quant["output"])
        node = Node("layer", self.op, (x, filter_, None), (y,))
        return Graph("layer", "", (node,), (x,), (y,))


@dataclass(frozen=True)
class Run:
    """An image that ran: what it costs, and the cycles of each layer."""

    cost: Cost
    layer_cycles: tuple[int, ...]


class Bench:
    """A model on a board, its layers stored in one way or as ``--sparse auto`` has it."""

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

    def ways(self, index: int | None = None) -> tuple[str, ...]:
        """Return how the weights of a node can be stored, or those of any node."""
        return (
            DENSE,
            *(
                way
                for way in ENCODINGS
                if (self._picks[way] if index is None else index in self._picks[way])
            ),
        )

    def constant_bytes(self, way: str) -> list[int]:
        """Return what the weights and tables of each node take."""
        return [
            sum(array.nbytes for one in parts for array in one.constants)
            for parts in self._calls("never", way)
        ]

    def chosen(self) -> list[str]:
        """Return how ``--sparse auto`` stores the weights of each node."""
        found = [DENSE] * len(self._portable)
        automatic = self._calls("auto", DENSE)
        for way in self.ways()[1:]:
            calls = self._calls("never", way)
            for index in self._picks[way]:
                if all(map(_is_same, automatic[index], calls[index])):
                    found[index] = way
        return found

    def run(self, way: str) -> Run:
        """Run an inference with all layers stored in a way that can be."""
        return self._run("never", self._picks[way])

    def run_auto(self) -> Run:
        """Run an inference with layers stored as the compiler chooses."""
        return self._run("auto", {})

    def energy_j(self, cycles: int) -> float | None:
        """Return what so many cycles take, None if the power of the board is not known."""
        energy = energy_of(cycles / self._board.clock.hz, self._board.power)
        return None if energy is None else energy.typical_j

    def _calls(self, sparse: str, way: str) -> tuple[tuple[KernelCall, ...], ...]:
        target = self._core.target
        return select(self._portable, target, self._optimize, sparse, self._picks[way])

    def _run(self, sparse: str, picks: Mapping[int, str]) -> Run:
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
        sections = compiled.firmware.sections
        return Run(
            Cost(
                flash_bytes=sum(one.flash_bytes for one in sections),
                weights_bytes=sum(one.flash_bytes for one in sections if one.cause == "weights"),
                ram_bytes=sum(one.ram_bytes for one in sections) + execution.stack_bytes,
                cycles=total,
                energy_j=self.energy_j(total),
            ),
            cycles,
        )


def _is_same(one: KernelCall, other: KernelCall) -> bool:
    """Whether two calls compute the same node with the same encoding, or without one."""
    return (one.kernel, one.params) == (other.kernel, other.params)
