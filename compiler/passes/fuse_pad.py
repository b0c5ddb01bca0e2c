"""PAD in front of a convolution becomes the convolution's own padding: nothing is copied."""

from __future__ import annotations

from dataclasses import replace

from tinysim.compiler.graph import Graph, Node
from tinysim.compiler.ops._window import Pads
from tinysim.compiler.passes._edit import is_sound, producers, until_settled, use_counts


def fuse_pad(graph: Graph) -> Graph:
    """Fuse zero padding of height and width into CONV_2D and DEPTHWISE_CONV_2D behind it."""
    return until_settled(graph, _fuse_one)


def _fuse_one(graph: Graph) -> Graph:
    made_by, uses = producers(graph), use_counts(graph)
    for index, node in enumerate(graph.nodes):
        if node.op.tflite not in ("CONV_2D", "DEPTHWISE_CONV_2D") or not node.activations:
            continue
        pad = made_by.get(node.activations[0].id)
        if pad is None or uses[pad.outputs[0].id] != 1:
            continue
        pads = _pads(pad, node)
        if pads is None:
            continue
        op = replace(node.op, padding=pads)  # type: ignore[type-var]
        fused = replace(node, op=op, inputs=(pad.inputs[0], *node.inputs[1:]))
        if not is_sound(fused):
            continue
        nodes = [fused if other is node else other for other in graph.nodes if other is not pad]
        removed = (*graph.removed, f"PAD {pad.name}: padding of {node.name}")
        assert graph.nodes[index] is node
        return replace(graph, nodes=tuple(nodes), removed=removed)
    return graph


def _pads(pad: Node, node: Node) -> Pads | None:
    """Return both paddings together, or None if a convolution cannot have them."""
    if pad.op.tflite != "PAD" or len(pad.inputs) != 2 or pad.inputs[1] is None:
        return None
    x, amounts, filter_ = pad.inputs[0], pad.inputs[1].data, node.inputs[1]
    if x is None or amounts is None or filter_ is None or x.quant != pad.outputs[0].quant:
        return None
    if amounts.shape != (4, 2) or amounts[0].any() or amounts[3].any():
        return None
    padded = pad.outputs[0].shape
    window = node.op.window(filter_)  # type: ignore[attr-defined]
    own = window.pads(padded[1], padded[2])
    (top, bottom), (left, right) = amounts[1:3].tolist()
    return Pads(own.top + top, own.left + left, own.bottom + bottom, own.right + right)
