"""Nodes that need no input of the model are computed here and now."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinysim.compiler.graph import Array, Graph, Node, Tensor
from tinysim.compiler.ops._movement import Movement
from tinysim.errors import ModelError

#: What all that is folded may cost together: bytes written and products. A small file must neither
#: fill this computer's memory nor take its time.
MAX_COST = 2**24
#: Operators whose references go through rows or elements in Python, and what an element costs then.
SLOW, SLOW_FACTOR = ("LOG_SOFTMAX", "SOFTMAX", "L2_NORMALIZATION", "QLINEAR_", "CUSTOM:"), 2**10


class Folding:
    """Computes nodes at compile time, as long as that stays cheap."""

    def __init__(self) -> None:
        self._room = MAX_COST

    def known_outputs(self, node: Node) -> tuple[Array, ...] | None:
        """Return what a node computes if that can be known: from constants, or shapes alone.

        Raises
        ------
        ModelError
            If it takes too much, and the device cannot do it either.
        """
        are_constant = all(tensor is None or tensor.data is not None for tensor in node.inputs)
        if not are_constant and not node.op.depends_on_shapes_only:
            return None
        if (cost := _cost(node)) > self._room:
            if are_constant and not isinstance(node.op, Movement):
                raise ModelError(
                    f"{node.op.tflite} of constants takes too much to compute it beforehand",
                    where=node.name,
                    fix="let the exporter fold constants",
                )
            return None
        self._room -= cost
        values = tuple(None if tensor is None else tensor.data for tensor in node.inputs)
        with np.errstate(all="ignore"):
            return node.op.reference(node.inputs, node.outputs, values)


def _cost(node: Node) -> int:
    written = sum(tensor.size_bytes for tensor in node.outputs)
    if node.op.is_elementwise or node.op.is_view or isinstance(node.op, Movement):
        return written
    window = getattr(node.op, "filter_h", 1) * getattr(node.op, "filter_w", 1)
    read = sum(tensor.elements for tensor in node.inputs if tensor is not None)
    factor = SLOW_FACTOR if node.op.tflite.startswith(SLOW) else 1
    elements = sum(tensor.elements for tensor in node.outputs)
    products = node.op.macs(node.inputs, node.outputs) + elements * window
    return written + read + factor * products


def fold_constants(graph: Graph) -> Graph:
    """Replace what is computed from constants, or from shapes alone, by its value."""
    known: dict[int, Tensor] = {}
    states = {state.tensor.id for state in graph.states}
    folding = Folding()
    nodes, removed = [], list(graph.removed)
    for node in graph.nodes:
        inputs = tuple(None if t is None else known.get(t.id, t) for t in node.inputs)
        node = replace(node, inputs=inputs)
        writes_state = any(tensor.id in states for tensor in node.outputs)
        results = None if writes_state else folding.known_outputs(node)
        if results is None:
            nodes.append(node)
            continue
        for tensor, value in zip(node.outputs, results, strict=True):
            known[tensor.id] = replace(tensor, data=value.reshape(tensor.shape))
        removed.append(f"{node.op.tflite} {node.name}: computed at compile time")
    outputs = tuple(known.get(tensor.id, tensor) for tensor in graph.outputs)
    return replace(graph, nodes=tuple(nodes), outputs=outputs, removed=tuple(removed))
