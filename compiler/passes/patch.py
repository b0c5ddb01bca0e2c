"""The first layers in bands, where that lowers the most that is alive at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tinysim.compiler.graph import Graph, Node
from tinysim.compiler.memory.blocks import problem_of
from tinysim.compiler.ops.patched import Patched
from tinysim.compiler.passes._edit import use_counts

SLIDING = ("CONV_2D", "DEPTHWISE_CONV_2D")
#: Layers of a chain, and bands that are tried.
MAX_LAYERS, BANDS = 16, (2, 3, 4, 5, 6, 8, 10, 12, 16, 24)
#: More than this share of additional multiplications is not worth it.
MAX_EXTRA_MACS = 0.5


def patch(graph: Graph) -> Graph:
    """Return the graph with its first layers in bands, if that makes the arena smaller."""
    chain = _first_chain(graph)
    calls = [node.op.lower(node.inputs, node.outputs) for node in graph.nodes]
    usual = problem_of(graph, calls).lower_bound_bytes
    best: tuple[int, int, Patched] | None = None
    macs = _macs(graph.nodes)
    for made in _candidates(chain):
        extra = _macs((_node(made),)) - _macs(made.chain)
        if extra > MAX_EXTRA_MACS * macs:
            continue
        count = len(made.chain)
        shorter = replace(graph, nodes=(_node(made), *graph.nodes[count:]))
        bound = problem_of(shorter, [(), *calls[count:]]).lower_bound_bytes
        if bound < usual and (best is None or (bound, extra) < best[:2]):
            best = (bound, extra, made)
    if best is None:
        return graph
    bound, extra, op = best
    count = len(op.chain)
    note = (
        f"the first {count} layers run in {op.bands} bands: at least {bound:,} B of arena instead "
        f"of {usual:,} B, for {extra:,} more MACs ({extra / macs:+.1%})"
    )
    nodes = (_node(op), *graph.nodes[count:])
    return replace(graph, nodes=nodes, removed=(*graph.removed, note))


def _macs(nodes: Iterable[Node]) -> int:
    return sum(node.op.macs(node.inputs, node.outputs) for node in nodes)


def _node(op: Patched) -> Node:
    """Return a node that computes a chain in bands."""
    first, last = op.chain[0], op.chain[-1]
    return Node(f"{first.name} .. {last.name}", op, first.inputs[:1], last.outputs)


def _first_chain(graph: Graph) -> tuple[Node, ...]:
    """Return the convolutions that the model begins with, each the only user of the one before."""
    uses = use_counts(graph)
    found: list[Node] = []
    for node in graph.nodes[:MAX_LAYERS]:
        x = node.inputs[0]
        is_fit = node.op.tflite in SLIDING and len(node.activations) == 1
        if not is_fit or x is None or x.shape[0] != 1:
            break
        if found and (x.id != found[-1].outputs[0].id or uses[x.id] != 1):
            break
        found.append(node)
    return tuple(found)


def _candidates(chain: tuple[Node, ...]) -> Iterator[Patched]:
    for count in range(2, len(chain) + 1):
        part = chain[:count]
        height = part[-1].outputs[0].shape[1]
        for bands in (bands for bands in BANDS if bands <= height):
            yield Patched(part, bands)
