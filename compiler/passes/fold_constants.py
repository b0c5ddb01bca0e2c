"""Nodes that need no input of the model are computed here and now."""

from __future__ import annotations

from dataclasses import replace

from tinysim.compiler.graph import Graph, Tensor

#: What would take more is left to the device: a small file must not fill this computer's memory.
MAX_FOLDED_BYTES = 2**24


def fold_constants(graph: Graph) -> Graph:
    """Replace what is computed from constants, or from shapes alone, by its value."""
    known: dict[int, Tensor] = {}
    states = {state.tensor.id for state in graph.states}
    nodes, removed = [], list(graph.removed)
    for node in graph.nodes:
        inputs = tuple(None if t is None else known.get(t.id, t) for t in node.inputs)
        is_known = node.op.depends_on_shapes_only or all(
            tensor is None or tensor.data is not None for tensor in inputs
        )
        size_bytes = sum(tensor.size_bytes for tensor in node.outputs)
        writes_state = any(tensor.id in states for tensor in node.outputs)
        if not is_known or writes_state or size_bytes > MAX_FOLDED_BYTES:
            nodes.append(replace(node, inputs=inputs))
            continue
        values = tuple(None if t is None else t.data for t in inputs)
        results = node.op.reference(inputs, node.outputs, values)
        for tensor, value in zip(node.outputs, results, strict=True):
            known[tensor.id] = replace(tensor, data=value.reshape(tensor.shape))
        removed.append(f"{node.op.tflite} {node.name}: computed at compile time")
    outputs = tuple(known.get(tensor.id, tensor) for tensor in graph.outputs)
    return replace(graph, nodes=tuple(nodes), outputs=outputs, removed=tuple(removed))
