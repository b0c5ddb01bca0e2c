"""The host's own inference: the graph as it was read, node by node, in numpy."""

from __future__ import annotations

from tinysim.compiler.graph import Array, Graph


def run_reference(graph: Graph, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    """Compute the graph's outputs from its inputs, with the operators' numpy references."""
    values = {tensor.id: value for tensor, value in zip(graph.inputs, inputs, strict=True)}
    for node in graph.nodes:
        arguments = tuple(
            None
            if tensor is None
            else tensor.data
            if tensor.data is not None
            else values[tensor.id]
            for tensor in node.inputs
        )
        results = node.op.reference(node.inputs, node.outputs, arguments)
        for tensor, result in zip(node.outputs, results, strict=True):
            values[tensor.id] = result.reshape(tensor.shape)
    return tuple(
        values[tensor.id] if tensor.data is None else tensor.data for tensor in graph.outputs
    )
