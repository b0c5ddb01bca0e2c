"""Nodes that need no input of the model are computed here and now."""

from __future__ import annotations

from dataclasses import replace

from tinysim.compiler.graph import Array, Graph, Node, Tensor

#: What would take more is left to the device: a small file must not fill this computer's memory.
MAX_FOLDED_BYTES = 2**24


def known_outputs(node: Node) -> tuple[Array, ...] | None:
    """Return what a node computes if that can be known: from constants, or from shapes alone."""
    are_constant = all(tensor is None or tensor.data is not None for tensor in node.inputs)
    if not are_constant and not node.op.depends_on_shapes_only:
        return None
    if sum(tensor.size_bytes for tensor in node.outputs) > MAX_FOLDED_BYTES:
        return None
    values = tuple(None if tensor is None else tensor.data for tensor in node.inputs)
    return node.op.reference(node.inputs, node.outputs, values)


def fold_constants(graph: Graph) -> Graph:
    """Replace what is computed from constants, or from shapes alone, by its value."""
    known: dict[int, Tensor] = {}
    states = {state.tensor.id for state in graph.states}
    nodes, removed = [], list(graph.removed)
    for node in graph.nodes:
        inputs = tuple(None if t is None else known.get(t.id, t) for t in node.inputs)
        node = replace(node, inputs=inputs)
        writes_state = any(tensor.id in states for tensor in node.outputs)
        results = None if writes_state else known_outputs(node)
        if results is None:
            nodes.append(node)
            continue
        for tensor, value in zip(node.outputs, results, strict=True):
            known[tensor.id] = replace(tensor, data=value.reshape(tensor.shape))
        removed.append(f"{node.op.tflite} {node.name}: computed at compile time")
    outputs = tuple(known.get(tensor.id, tensor) for tensor in graph.outputs)
    return replace(graph, nodes=tuple(nodes), outputs=outputs, removed=tuple(removed))
