"""The memory plan: nothing that lives at once overlaps, and no plan is below the bound."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from tinysim.compiler.graph import Array, DType, Graph, Node, Tensor
from tinysim.compiler.memory import ALIGNMENT_BYTES, MemoryPlan, plan_memory
from tinysim.compiler.ops import Inputs, KernelCall, Operator


class Fake(Operator):
    """An operator of any shape."""

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        yield from ()

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        raise AssertionError

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> KernelCall:
        raise AssertionError


@st.composite
def planned(draw: st.DrawFn) -> tuple[Graph, tuple[KernelCall, ...]]:
    """Draw a graph whose nodes read anything made before, with scratch here and there."""
    sizes = st.integers(1, 4000)
    inputs = [Tensor(i, "t", (draw(sizes),), DType.INT8) for i in range(draw(st.integers(1, 3)))]
    known, nodes, calls = list(inputs), [], []
    for index in range(draw(st.integers(1, 12))):
        taken = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3))
        made = Tensor(100 + index, "t", (draw(sizes),), DType.INT8)
        nodes.append(Node("n", Fake(), tuple(taken), (made,)))
        scratch = draw(st.sampled_from([0, 0, 64, 1000]))
        calls.append(KernelCall("fake", {}, tuple(taken), (made,), scratch_bytes=scratch))
        known.append(made)
    outputs = draw(st.lists(st.sampled_from(known[len(inputs) :]), min_size=1, max_size=2))
    return Graph("g", "", tuple(nodes), tuple(inputs), tuple(dict.fromkeys(outputs))), tuple(calls)


def blocks(
    graph: Graph, calls: tuple[KernelCall, ...], plan: MemoryPlan
) -> list[tuple[int, int, int, int]]:
    """Return (first, last, low, high) of all that needs room, from what the graph says."""
    tensors = {t.id: t for t in graph.inputs} | {t.id: t for n in graph.nodes for t in n.outputs}
    found = [
        (*plan.lifetimes[i], plan.offsets[i], plan.offsets[i] + tensor.size_bytes)
        for i, tensor in tensors.items()
    ]
    for index, call in enumerate(calls):
        if call.scratch_bytes:
            low = plan.scratch_offsets[index]
            found.append((index, index, low, low + call.scratch_bytes))
    return found


@settings(deadline=None, max_examples=200)
@given(planned())
def test_plan_is_sound_and_not_below_the_bound(
    drawn: tuple[Graph, tuple[KernelCall, ...]],
) -> None:
    graph, calls = drawn
    plan = plan_memory(graph, calls)
    for index, node in enumerate(graph.nodes):
        for tensor in (*node.activations, *node.outputs):
            first, last = plan.lifetimes[tensor.id]
            assert first <= index <= last
    assert all(plan.lifetimes[t.id][0] == -1 for t in graph.inputs)
    assert all(plan.lifetimes[t.id][1] == len(graph.nodes) for t in graph.outputs)
    found = blocks(graph, calls, plan)
    for a, b in combinations(found, 2):
        alive_together = a[0] <= b[1] and b[0] <= a[1]
        assert not (alive_together and a[2] < b[3] and b[2] < a[3])
    assert all(low % ALIGNMENT_BYTES == 0 and high <= plan.arena_bytes for *_, low, high in found)
    assert plan.arena_bytes >= plan.lower_bound_bytes
    assert plan_memory(graph, calls) == plan
