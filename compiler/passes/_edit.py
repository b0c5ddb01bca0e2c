"""What passes share: who makes and who uses a tensor, new tensors, and putting nodes in order."""

from __future__ import annotations

from collections.abc import Callable

from tinysim.compiler.graph import Graph, Node


def producers(graph: Graph) -> dict[int, Node]:
    """Return the node that writes each tensor; states are written by nobody in particular."""
    states = {state.tensor.id for state in graph.states}
    return {t.id: node for node in graph.nodes for t in node.outputs if t.id not in states}


def use_counts(graph: Graph) -> dict[int, int]:
    """Return how often each tensor is read, the graph's outputs counted as readers."""
    counts: dict[int, int] = {}
    read = [tensor for node in graph.nodes for tensor in node.activations]
    for tensor in (*read, *graph.outputs):
        counts[tensor.id] = counts.get(tensor.id, 0) + 1
    return counts


def fresh_id(graph: Graph) -> int:
    """Return an id that no tensor has."""
    found = [-1, *(state.tensor.id for state in graph.states)]
    for node in graph.nodes:
        found += [tensor.id for tensor in (*node.inputs, *node.outputs) if tensor is not None]
    return 1 + max(*found, *(tensor.id for tensor in (*graph.inputs, *graph.outputs)))


def is_sound(node: Node) -> bool:
    """Whether an operator takes what a rewriting would give it; if not, it is left alone."""
    return next(node.op.problems(node.inputs, node.outputs), None) is None


def until_settled(graph: Graph, step: Callable[[Graph], Graph]) -> Graph:
    """Repeat a rewriting until it changes nothing; each round must take something away."""
    while (changed := step(graph)) is not graph:
        graph = changed
    return graph
