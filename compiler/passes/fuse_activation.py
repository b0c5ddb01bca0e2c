"""An activation that only limits its input's range becomes part of the operator before it."""

from __future__ import annotations

from dataclasses import replace

from tinysim.compiler.graph import DType, Graph, Node
from tinysim.compiler.passes._edit import is_sound, producers, until_settled, use_counts

ACTIVATIONS = {"RELU": "RELU", "RELU6": "RELU6", "RELU_N1_TO_1": "RELU_N1_TO_1"}


def fuse_activation(graph: Graph) -> Graph:
    """Fuse RELU, RELU6 and RELU_N1_TO_1 into what makes their input, if nothing else reads that."""
    return until_settled(graph, _fuse_one)


def _fuse_one(graph: Graph) -> Graph:
    made_by, uses = producers(graph), use_counts(graph)
    for index, node in enumerate(graph.nodes):
        if node.op.tflite not in ACTIVATIONS or not node.activations:
            continue
        source = made_by.get(node.activations[0].id)
        if source is None or uses[source.outputs[0].id] != 1 or not _takes_one(source, node):
            continue
        op = replace(source.op, activation=ACTIVATIONS[node.op.tflite])  # type: ignore[type-var]
        fused = replace(source, op=op, outputs=node.outputs)
        if not is_sound(fused):
            continue
        nodes = [fused if other is source else other for other in graph.nodes]
        del nodes[index]
        removed = (*graph.removed, f"{node.op.tflite} {node.name}: fused into {source.name}")
        return replace(graph, nodes=tuple(nodes), removed=removed)
    return graph


def _takes_one(source: Node, node: Node) -> bool:
    """Whether the range can be limited where the values are made, without rounding anew."""
    before, after = source.outputs[0], node.outputs[0]
    is_same_scale = before.dtype is DType.FLOAT32 or before.quant == after.quant
    is_whole = len(source.outputs) == 1 and before.shape == after.shape
    is_free = getattr(source.op, "activation", None) == "NONE"
    return is_free and is_whole and is_same_scale and before.dtype is after.dtype
