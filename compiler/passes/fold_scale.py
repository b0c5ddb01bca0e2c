"""Batch normalisation and the like: a constant scale or offset goes into the weights before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinysim.compiler.graph import Array, DType, Graph, Node, Tensor
from tinysim.compiler.passes._edit import fresh_id, is_sound, producers, until_settled, use_counts

#: Operators with weights, and the axis of the filter that is the output's channels.
CHANNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}


def fold_scale(graph: Graph) -> Graph:
    """Fold float MUL and ADD by a constant a channel into the convolution or product before."""
    return until_settled(graph, _fold_one)


def _fold_one(graph: Graph) -> Graph:
    made_by, uses = producers(graph), use_counts(graph)
    for index, node in enumerate(graph.nodes):
        if node.op.tflite not in ("MUL", "ADD") or len(node.activations) != 1:
            continue
        source = made_by.get(node.activations[0].id)
        if source is None or uses[source.outputs[0].id] != 1 or not _is_plain(source):
            continue
        values = _per_channel(node, source.outputs[0].shape[-1])
        if values is None:
            continue
        with np.errstate(all="ignore"):  # what is not finite then, is not sound
            folded = _folded(graph, source, node, values)
        if not is_sound(folded):
            continue
        nodes = [folded if other is source else other for other in graph.nodes]
        del nodes[index]
        removed = (*graph.removed, f"{node.op.tflite} {node.name}: folded into {source.name}")
        return replace(graph, nodes=tuple(nodes), removed=removed)
    return graph


def _is_plain(node: Node) -> bool:
    """Whether a node has constant float weights and nothing between them and its output."""
    if node.op.tflite not in CHANNEL_AXIS or getattr(node.op, "activation", "") != "NONE":
        return False
    constants = node.inputs[1:3]
    return constants[0] is not None and all(
        t is None or (t.dtype is DType.FLOAT32 and t.data is not None) for t in constants
    )


def _per_channel(node: Node, channels: int) -> Array | None:
    """Return a node's constant as one value a channel, if it is that."""
    (constant,) = (t for t in node.inputs if t is not None and t.data is not None)
    shape = constant.shape
    if constant.dtype is not DType.FLOAT32 or constant.data is None:
        return None
    if len(shape) > len(node.outputs[0].shape) or any(size != 1 for size in shape[:-1]):
        return None
    if shape and shape[-1] not in (1, channels):
        return None
    return np.broadcast_to(constant.data.reshape(-1), (channels,)).astype(np.float32)


def _folded(graph: Graph, source: Node, node: Node, values: Array) -> Node:
    """Return the source with the constant in its weights, or in its bias, and the node's output."""
    weights, bias = source.inputs[1], (*source.inputs, None)[2]
    assert weights is not None and weights.data is not None
    channels = len(values)
    if bias is None:
        bias = Tensor(
            fresh_id(graph), "bias", (channels,), DType.FLOAT32, data=np.zeros_like(values)
        )
    assert bias.data is not None
    if node.op.tflite == "MUL":
        axis = CHANNEL_AXIS[source.op.tflite]
        shape = [1] * weights.data.ndim
        shape[axis] = channels
        weights = replace(weights, data=weights.data * values.reshape(shape))
        bias = replace(bias, data=bias.data * values)
    else:
        bias = replace(bias, data=bias.data + values)
    activation = getattr(node.op, "activation", "NONE")
    op = replace(source.op, activation=activation)  # type: ignore[type-var]
    return replace(source, op=op, inputs=(source.inputs[0], weights, bias), outputs=node.outputs)
