"""The memory plan of random graphs: nothing that is still needed is ever written over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tinysim.compiler.graph import Array, DType, Graph, Node, Tensor, defects
from tinysim.compiler.memory import ALIGNMENT_BYTES, MemoryPlan, plan_memory
from tinysim.compiler.ops import Inputs, KernelCall, Operator

Draw = st.DrawFn

examples = settings(deadline=None, max_examples=100)


class Fake(Operator):
    """An operator that is only planned for; without a ``tflite`` name it files itself nowhere."""

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Find none."""
        yield from ()

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Never asked for."""
        raise NotImplementedError

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Never asked for."""
        raise NotImplementedError


@dataclass(frozen=True)
class Piece:
    """A tensor or scratch buffer: where it lies, and the steps at which it must be whole."""

    offset: int
    size_bytes: int
    steps: frozenset[int]

    @property
    def end(self) -> int:
        return self.offset + self.size_bytes

    def meets(self, other: Piece) -> bool:
        return self.offset < other.end and other.offset < self.end


Calls = tuple[tuple[KernelCall, ...], ...]
Planned = tuple[Graph, Calls]

kinds = st.sampled_from(
    [((), DType.INT8), ((3, 3), DType.INT8), ((7, 2, 9), DType.INT8), ((5,), DType.FLOAT32)]
    + [((n,), DType.INT8) for n in (4, 33, 200, 1000)]
)


def tensor(id_: int, *shape: int, dtype: DType = DType.INT8) -> Tensor:
    return Tensor(id_, f"t{id_}", shape, dtype)


@st.composite
def graphs(draw: Draw) -> Planned:
    """Graphs with branches, joins, dead ends, views, constants and absent inputs, and scratch."""

    def new() -> Tensor:
        shape, dtype = draw(kinds)
        made.append(tensor(len(made), *shape, dtype=dtype))
        return made[-1]

    made: list[Tensor] = []
    inputs = tuple(new() for _ in range(draw(st.integers(1, 3))))
    nodes = []
    for index in range(draw(st.integers(1, 12))):
        read = draw(st.lists(st.sampled_from(made), min_size=1, max_size=3))
        view = replace(read[0], shape=(1, read[0].elements))
        constant = replace(tensor(1000 + index, 2), data=np.zeros(2, np.int8))
        seen = (*read, *draw(st.sampled_from([(), (view,), (None, constant)])))
        outputs = tuple(new() for _ in range(draw(st.integers(1, 2))))
        nodes.append(Node(f"n{index}", Fake(), seen, outputs))
    ends = draw(st.sets(st.integers(len(inputs), len(made) - 1), min_size=1, max_size=3))
    graph = Graph("random", "", tuple(nodes), inputs, tuple(made[i] for i in sorted(ends)))
    assert not list(defects(graph))
    return graph, calls_of(graph, *(draw(st.sampled_from([0, 0, 1, 6, 400])) for _ in nodes))


def calls_of(graph: Graph, *scratch_bytes: int) -> Calls:
    return tuple(
        (KernelCall("fake", {}, node.activations, node.outputs, scratch_bytes=size),)
        for node, size in zip(graph.nodes, scratch_bytes, strict=True)
    )


def chain(*sizes: int) -> Graph:
    """Return a chain of tensors of so many bytes."""
    tensors = [tensor(index, size) for index, size in enumerate(sizes)]
    nodes = tuple(
        Node(f"n{i}", Fake(), (tensors[i],), (tensors[i + 1],)) for i in range(len(sizes) - 1)
    )
    return Graph("chain", "", nodes, (tensors[0],), (tensors[-1],))


def pieces(graph: Graph, calls: Calls, plan: MemoryPlan) -> list[Piece]:
    """Lay out what the plan says, with lifetimes counted here and not taken from it."""
    written = {t.id: (-1, t.size_bytes) for t in graph.inputs}
    last = dict.fromkeys(written, -1)
    for step, node in enumerate(graph.nodes):
        written |= {t.id: (step, t.size_bytes) for t in node.outputs}
        last |= {t.id: step for t in (*node.activations, *node.outputs)}
    last |= {t.id: len(graph.nodes) for t in graph.outputs}
    return [
        Piece(plan.offsets[i], size, frozenset(range(first, last[i] + 1)))
        for i, (first, size) in written.items()
    ] + [
        Piece(plan.scratch_offsets[step], call.scratch_bytes, frozenset({step}))
        for step, (call,) in enumerate(calls)
        if call.scratch_bytes
    ]


@examples
@given(planned=graphs())
def test_what_lives_at_the_same_time_never_overlaps(planned: Planned) -> None:
    for one, other in combinations(pieces(*planned, plan_memory(*planned)), 2):
        assert one.steps.isdisjoint(other.steps) or not one.meets(other)


@examples
@given(planned=graphs())
def test_every_node_finds_its_inputs_as_they_were_written(planned: Planned) -> None:
    graph, calls = planned
    plan = plan_memory(graph, calls)
    arena = np.full(plan.arena_bytes, -1)

    def place(tensor: Tensor) -> slice:
        return slice(plan.offsets[tensor.id], plan.offsets[tensor.id] + tensor.size_bytes)

    def assert_whole(*tensors: Tensor) -> None:
        for tensor in tensors:
            assert (arena[place(tensor)] == tensor.id).all()

    for tensor in graph.inputs:
        arena[place(tensor)] = tensor.id
    assert_whole(*graph.inputs)
    for index, (node, (call,)) in enumerate(zip(graph.nodes, calls, strict=True)):
        if call.scratch_bytes:
            start = plan.scratch_offsets[index]
            arena[start : start + call.scratch_bytes] = -1
        for tensor in node.outputs:
            arena[place(tensor)] = tensor.id
        assert_whole(*node.activations, *node.outputs)
    assert_whole(*graph.outputs)


@examples
@given(planned=graphs())
def test_arena_holds_everything_and_no_less_than_the_lower_bound(planned: Planned) -> None:
    plan = plan_memory(*planned)
    laid = pieces(*planned, plan)
    assert all(piece.offset >= 0 and piece.end <= plan.arena_bytes for piece in laid)
    alive = [
        sum(piece.size_bytes for piece in laid if step in piece.steps)
        for step in range(-1, len(planned[0].nodes) + 1)
    ]
    assert max(alive) <= plan.lower_bound_bytes <= plan.arena_bytes
    padding = (ALIGNMENT_BYTES - 1) * len(laid)
    assert plan.lower_bound_bytes <= max(alive) + padding


@examples
@given(planned=graphs())
def test_offsets_are_aligned(planned: Planned) -> None:
    plan = plan_memory(*planned)
    for offset in (*plan.offsets.values(), *plan.scratch_offsets.values(), plan.arena_bytes):
        assert offset % ALIGNMENT_BYTES == 0


@examples
@given(planned=graphs())
def test_inputs_live_before_the_first_node_and_outputs_after_the_last(planned: Planned) -> None:
    graph, calls = planned
    plan = plan_memory(graph, calls)
    assert all(plan.lifetimes[t.id][0] == -1 for t in graph.inputs)
    assert all(plan.lifetimes[t.id][1] == len(graph.nodes) for t in graph.outputs)


@examples
@given(planned=graphs())
def test_lifetimes_run_from_writing_to_the_last_reading(planned: Planned) -> None:
    graph, calls = planned
    plan = plan_memory(graph, calls)
    for step, node in enumerate(graph.nodes):
        assert all(plan.lifetimes[t.id][0] == step for t in node.outputs)
        for t in node.activations:
            assert plan.lifetimes[t.id][0] < step <= plan.lifetimes[t.id][1]
    readers = [{t.id for t in node.activations} for node in graph.nodes]
    for id_, (first, last) in plan.lifetimes.items():
        assert last in (first, len(graph.nodes)) or id_ in readers[last]


@examples
@given(planned=graphs())
def test_same_graph_gives_the_same_plan(planned: Planned) -> None:
    assert plan_memory(*planned) == plan_memory(*planned)


@examples
@given(planned=graphs())
def test_constants_and_scratch_that_nobody_asked_for_take_no_room(planned: Planned) -> None:
    graph, calls = planned
    plan = plan_memory(graph, calls)
    stored = {t.id for t in graph.inputs} | {t.id for node in graph.nodes for t in node.outputs}
    assert set(plan.offsets) == stored
    assert set(plan.scratch_offsets) == {i for i, (call,) in enumerate(calls) if call.scratch_bytes}


@given(sizes=st.lists(st.integers(1, 100), min_size=2, max_size=10))
def test_lower_bound_of_a_chain_is_its_largest_pair_of_neighbours(sizes: list[int]) -> None:
    graph = chain(*sizes)
    plan = plan_memory(graph, calls_of(graph, *(0 for _ in graph.nodes)))
    rounded = [-(-size // ALIGNMENT_BYTES) * ALIGNMENT_BYTES for size in sizes]
    largest = max(a + b for a, b in pairwise(rounded))
    assert plan.lower_bound_bytes == largest


def test_scratch_is_shared_with_what_is_not_alive() -> None:
    graph = chain(8, 8, 64)
    plan = plan_memory(graph, calls_of(graph, 64, 0))
    assert plan.scratch_offsets == {0: 0}
    assert plan.arena_bytes == plan.lower_bound_bytes == 8 + 8 + 64


def test_residual_keeps_its_input_alive_over_the_branch() -> None:
    first, middle, last = tensor(0, 16), tensor(1, 4), tensor(2, 16)
    nodes = (Node("a", Fake(), (first,), (middle,)), Node("b", Fake(), (first, middle), (last,)))
    graph = Graph("residual", "", nodes, (first,), (last,))
    plan = plan_memory(graph, calls_of(graph, 0, 0))
    assert plan.lifetimes == {0: (-1, 1), 1: (0, 1), 2: (1, 2)}
    assert plan.arena_bytes == plan.lower_bound_bytes == 36


def test_same_tensor_read_twice_by_a_node_is_stored_once() -> None:
    first, last = tensor(0, 8), tensor(1, 8)
    graph = Graph("twice", "", (Node("a", Fake(), (first, first), (last,)),), (first,), (last,))
    assert plan_memory(graph, calls_of(graph, 0)).arena_bytes == 16
