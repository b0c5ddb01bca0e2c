"""Which of two references an int8 product is rounded like."""

from __future__ import annotations

from dataclasses import replace

from tinysim.compiler.graph import Graph
from tinysim.compiler.ops.fully_connected import FullyConnected

#: Roundings by the runtime whose reference they follow.
ROUNDINGS = {"tflm": "double", "litert": "single"}


def with_rounding(graph: Graph, runtime: str) -> Graph:
    """Have FULLY_CONNECTED round as TFLite Micro (twice) or as LiteRT (once)."""
    kind = ROUNDINGS[runtime]
    nodes = tuple(
        replace(node, op=replace(node.op, rounding=kind))
        if isinstance(node.op, FullyConnected) and node.op.rounding in ROUNDINGS.values()
        else node
        for node in graph.nodes
    )
    return replace(graph, nodes=nodes)
