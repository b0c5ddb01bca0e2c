"""Graph + plan -> what lies in the arena and when, as reports draw it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tinysim.compiler.graph import Graph, Tensor
from tinysim.compiler.memory import MemoryPlan
from tinysim.compiler.memory.blocks import scratch_bytes
from tinysim.compiler.ops import KernelCall
from tinysim.firmware import TensorPlacement


def placements(
    graph: Graph, plan: MemoryPlan, calls: Sequence[tuple[KernelCall, ...]]
) -> tuple[TensorPlacement, ...]:
    """Return every tensor and scratch buffer of the arena, by its first layer and offset."""
    found = [*_tensors(graph, plan), *_scratch(graph, plan, calls)]
    return tuple(sorted(found, key=lambda one: (one.first_layer, one.offset_bytes, one.name)))


def _tensors(graph: Graph, plan: MemoryPlan) -> Iterator[TensorPlacement]:
    kinds: dict[int, tuple[Tensor, str]] = {}
    for node in graph.nodes:
        kinds |= {tensor.id: (tensor, "activation") for tensor in node.outputs}
    kinds |= {tensor.id: (tensor, "output") for tensor in graph.outputs}
    kinds |= {tensor.id: (tensor, "input") for tensor in graph.inputs}
    kinds |= {state.tensor.id: (state.tensor, "state") for state in graph.states}
    for tensor, kind in kinds.values():
        if tensor.id not in plan.offsets:
            continue  # nothing in the arena: a constant
        first, last = plan.lifetimes[tensor.id]
        yield TensorPlacement(
            tensor.name, kind, tensor.shape, tensor.dtype.value,
            plan.offsets[tensor.id], tensor.size_bytes, first, last,
        )  # fmt: skip


def _scratch(
    graph: Graph, plan: MemoryPlan, calls: Sequence[tuple[KernelCall, ...]]
) -> Iterator[TensorPlacement]:
    for node, offset in plan.scratch_offsets.items():
        size = scratch_bytes(graph.nodes[node], calls[node])
        name = graph.nodes[node].name
        yield TensorPlacement(name, "scratch", (size,), "uint8", offset, size, node, node)
