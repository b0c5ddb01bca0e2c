"""Another order of nodes where branches make it lower the most that is alive at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinysim.compiler.graph import Graph, Node

#: Partial orders that are followed at the same time, and nodes from which on it takes too long.
BEAM, MAX_NODES = 64, 400


@dataclass(frozen=True)
class _Partial:
    """Nodes in order so far: which, the most that was alive, and what is."""

    order: tuple[int, ...]
    peak_bytes: int
    alive_bytes: int
    waiting: frozenset[int]


def reorder(graph: Graph) -> Graph:
    """Return the graph with its nodes in the best order found; as it is if none is better.

    A beam search over topological orders. Sizes of outputs and inputs that die together are added
    up as if nothing overlapped, which is the same for all orders of one chain.
    """
    before = _needs(graph)
    if len(graph.nodes) > MAX_NODES or all(len(nodes) <= 1 for nodes in before.values()):
        return graph
    found = _search(graph, before)
    usual = _replay(graph, tuple(range(len(graph.nodes))))
    if found is None or found.peak_bytes >= usual:
        return graph
    note = (
        f"order of nodes: another one needs {found.peak_bytes:,} B at once instead of {usual:,} B"
    )
    nodes = tuple(graph.nodes[index] for index in found.order)
    return replace(graph, nodes=nodes, removed=(*graph.removed, note))


def _needs(graph: Graph) -> dict[int, set[int]]:
    """Return the nodes that must run before each node: makers of its inputs, users of a state."""
    states = {state.tensor.id for state in graph.states}
    made_by: dict[int, int] = {}
    touched: dict[int, list[int]] = {}
    needs: dict[int, set[int]] = {}
    for index, node in enumerate(graph.nodes):
        read = {tensor.id for tensor in node.activations}
        needs[index] = {made_by[i] for i in read if i in made_by}
        for tensor_id in states.intersection(read | {t.id for t in node.outputs}):
            needs[index] |= set(touched.get(tensor_id, ()))  # states are used in the file's order
            touched.setdefault(tensor_id, []).append(index)
        made_by |= {t.id: index for t in node.outputs if t.id not in states}
    return {index: nodes - {index} for index, nodes in needs.items()}


class _Sizes:
    """Sizes of tensors and who reads them."""

    def __init__(self, graph: Graph) -> None:
        kept = {state.tensor.id for state in graph.states}
        self.bytes = {t.id: t.size_bytes for t in graph.inputs}
        self.bytes |= {t.id: t.size_bytes for node in graph.nodes for t in node.outputs}
        self.bytes = {i: size for i, size in self.bytes.items() if i not in kept}
        self.readers: dict[int, set[int]] = {i: set() for i in self.bytes}
        for index, node in enumerate(graph.nodes):
            for tensor in node.activations:
                self.readers.get(tensor.id, set()).add(index)
        for tensor in graph.outputs:
            self.readers.get(tensor.id, set()).add(-1)
        self.inputs = sum(self.bytes.get(t.id, 0) for t in graph.inputs)

    def step(self, node: Node, index: int, done: set[int], alive_bytes: int) -> tuple[int, int]:
        """Return what is alive while a node runs, and behind it."""
        during = alive_bytes + sum(self.bytes.get(t.id, 0) for t in node.outputs)
        after = during
        read = {tensor.id for tensor in node.activations}
        for tensor_id in {*read, *(t.id for t in node.outputs)} & self.bytes.keys():
            if self.readers[tensor_id] <= done | {index}:
                after -= self.bytes[tensor_id]
        return during, after


def _replay(graph: Graph, order: tuple[int, ...]) -> int:
    """Return the most that is alive at once in an order."""
    sizes = _Sizes(graph)
    alive, peak, done = sizes.inputs, sizes.inputs, set[int]()
    for index in order:
        during, alive = sizes.step(graph.nodes[index], index, done, alive)
        peak = max(peak, during)
        done.add(index)
    return peak


def _search(graph: Graph, needs: dict[int, set[int]]) -> _Partial | None:
    sizes = _Sizes(graph)
    beam = [_Partial((), sizes.inputs, sizes.inputs, frozenset(needs))]
    for _ in graph.nodes:
        found: dict[frozenset[int], _Partial] = {}
        for partial in beam:
            done = set(partial.order)
            for index in sorted(partial.waiting):
                if not needs[index] <= done:
                    continue
                during, after = sizes.step(graph.nodes[index], index, done, partial.alive_bytes)
                made = _Partial(
                    (*partial.order, index),
                    max(partial.peak_bytes, during),
                    after,
                    partial.waiting - {index},
                )
                known = found.get(made.waiting)
                if known is None or made.peak_bytes < known.peak_bytes:
                    found[made.waiting] = made
        beam = sorted(found.values(), key=lambda p: (p.peak_bytes, p.alive_bytes, p.order))[:BEAM]
    return beam[0] if beam else None
