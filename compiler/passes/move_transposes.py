"""TRANSPOSE moved down until two meet and cancel: how NCHW graphs become NHWC ones.

One sweep in which a transposed tensor is only noted as "that tensor, with its axes in this order".
Operators that do not care about the order of axes work on the tensor itself; whoever does care
gets it transposed, by a node that is made then, once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tinysim.compiler.graph import DType, Graph, Node, Tensor
from tinysim.compiler.ops import operator_class
from tinysim.compiler.passes._edit import fresh_id

Axes = tuple[int, ...]

REDUCTIONS = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD")


@dataclass(frozen=True)
class _Turned:
    """``base`` with its axes in the order of ``axes``, then under ``shape``, not computed yet."""

    base: Tensor
    axes: Axes
    shape: tuple[int, ...]

    @property
    def is_flat(self) -> bool:
        """Whether it has been reshaped behind the turn."""
        return len(self.shape) != len(self.axes) or self.shape != self.turned_shape

    @property
    def turned_shape(self) -> tuple[int, ...]:
        """The shape before it was reshaped."""
        return tuple(self.base.shape[axis] for axis in self.axes)


def move_transposes(graph: Graph) -> Graph:
    """Take out the transposes that cancel."""
    if not any(node.op.tflite == "TRANSPOSE" for node in graph.nodes):
        return graph
    return _Sweep(graph).run()


class _Sweep:
    """The new nodes, and what is known of the old tensors."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._next_id = fresh_id(graph)
        self._states = {state.tensor.id for state in graph.states}
        self._nodes: list[Node] = []
        self._turned: dict[int, _Turned] = {}
        self._seen: dict[int, Tensor] = {}
        self._made: dict[tuple[int, Axes, tuple[int, ...]], Tensor] = {}

    def run(self) -> Graph:
        """Go through all nodes, then see to the outputs."""
        for node in self._graph.nodes:
            inputs = tuple(None if t is None else self._seen.get(t.id, t) for t in node.inputs)
            node = replace(node, inputs=inputs)
            moved = False
            if self._states.isdisjoint(t.id for t in node.outputs):
                moved = _RULES.get(node.op.tflite, _any)(self, node)
            if not moved:
                self._nodes.append(replace(node, inputs=tuple(map(self._whole, inputs))))
        outputs = tuple(self._output(self._seen.get(t.id, t)) for t in self._graph.outputs)
        before = sum(node.op.tflite == "TRANSPOSE" for node in self._graph.nodes)
        after = sum(node.op.tflite == "TRANSPOSE" for node in self._nodes)
        removed = self._graph.removed
        if after < before:
            removed = (*removed, f"TRANSPOSE: {before - after} of {before} cancel or move nothing")
        return replace(self._graph, nodes=tuple(self._nodes), outputs=outputs, removed=removed)

    def turned(self, tensor: Tensor | None) -> _Turned | None:
        """Return what is known of a tensor that is a transposed one."""
        return None if tensor is None else self._turned.get(tensor.id)

    def note(self, tensor: Tensor, base: Tensor, axes: Axes, shape: tuple[int, ...]) -> None:
        """Note what a tensor is; one that is not turned at all is its base."""
        turned = _Turned(base, axes, shape)
        if axes == tuple(range(len(axes))) and not turned.is_flat:
            self._seen[tensor.id] = replace(tensor, id=base.id, data=base.data)
        else:
            self._turned[tensor.id] = turned

    def emit(self, node: Node) -> None:
        """Append a node."""
        self._nodes.append(node)

    def fresh(self, like: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Return a new tensor."""
        self._next_id += 1
        return replace(like, id=self._next_id, shape=shape, data=None)

    def _whole(self, tensor: Tensor | None, into: Tensor | None = None) -> Tensor | None:
        """Return a tensor as it stands in the file, transposed here if it is only noted so far."""
        turned = self.turned(tensor)
        if tensor is None or turned is None:
            return tensor
        key = (turned.base.id, turned.axes, turned.shape)
        if (made := self._made.get(key)) is not None and into is None:
            return replace(tensor, id=made.id)
        target = into or self.fresh(tensor, tensor.shape)
        self._make(turned, target)
        self._made[key] = target
        return target

    def _make(self, turned: _Turned, target: Tensor) -> None:
        """Emit the transpose and the reshape that a noted tensor stands for."""
        name = f"{target.name} in order {list(turned.axes)}"
        if moves_nothing(turned.base.shape, turned.axes):
            self._reshape(turned.base, target)
            return
        cls = operator_class("TRANSPOSE")
        assert cls is not None
        order = np.array(turned.axes, np.int32)
        axes = replace(self.fresh(target, order.shape), dtype=DType.INT32, quant=None, data=order)
        whole = target if not turned.is_flat else self.fresh(target, turned.turned_shape)
        self._nodes.append(Node(name, cls(), (turned.base, axes), (whole,)))
        if turned.is_flat:
            self._reshape(whole, target)

    def _reshape(self, source: Tensor, target: Tensor) -> None:
        cls = operator_class("RESHAPE")
        assert cls is not None
        self._nodes.append(Node(target.name, cls(), (source,), (target,)))

    def _output(self, tensor: Tensor) -> Tensor:
        """Return an output of the graph, whole."""
        whole = self._whole(tensor)
        assert whole is not None
        return whole


def moves_nothing(shape: tuple[int, ...], axes: Axes) -> bool:
    """Whether only axes of one element change places, so that memory stays as it is."""
    kept = [axis for axis in axes if shape[axis] != 1]
    return kept == sorted(kept)


# --- what operators do with turned inputs; True if the node is dealt with


def _transpose(sweep: _Sweep, node: Node) -> bool:
    x, order = node.inputs[:2]
    if x is None or order is None or order.data is None:
        return False
    rank = len(x.shape)
    axes = tuple(int(axis) % rank for axis in order.data.ravel())
    turned = sweep.turned(x)
    if turned is None:
        sweep.note(node.outputs[0], x, axes, node.outputs[0].shape)
    elif turned.is_flat:
        return False
    else:
        both = tuple(turned.axes[axis] for axis in axes)
        sweep.note(node.outputs[0], turned.base, both, node.outputs[0].shape)
    return True


def _reshape(sweep: _Sweep, node: Node) -> bool:
    turned = sweep.turned(node.inputs[0])
    if turned is None:
        return False
    sweep.note(node.outputs[0], turned.base, turned.axes, node.outputs[0].shape)
    return True


def _any(sweep: _Sweep, node: Node) -> bool:
    """Element by element: the same on the tensors before they are turned."""
    if not node.op.is_elementwise or len(node.outputs) != 1:
        return False
    out = node.outputs[0]
    found = [sweep.turned(tensor) for tensor in node.activations]
    first = found[0] if found else None
    if first is None or first.is_flat or any(t is None or t.axes != first.axes for t in found):
        return False
    back = tuple(int(axis) for axis in np.argsort(first.axes))
    inputs: list[Tensor | None] = []
    for tensor in node.inputs:
        if tensor is not None and tensor.data is not None:
            full = (1,) * (len(out.shape) - len(tensor.shape)) + tensor.shape
            if tensor.elements == 1:
                inputs.append(tensor)
                continue
            if len(full) != len(back):
                return False
            data = np.ascontiguousarray(tensor.data.reshape(full).transpose(back))
            inputs.append(replace(sweep.fresh(tensor, data.shape), data=data))
            continue
        turned = sweep.turned(tensor)
        if tensor is not None and (turned is None or turned.is_flat or tensor.shape != out.shape):
            return False
        inputs.append(None if turned is None else turned.base)
    _emit_turned(sweep, node, tuple(inputs), first.axes)
    return True


def _concatenation(sweep: _Sweep, node: Node) -> bool:
    found = [sweep.turned(tensor) for tensor in node.inputs]
    first = found[0]
    if first is None or any(t is None or t.is_flat or t.axes != first.axes for t in found):
        return False
    axis = first.axes[node.op.axis % len(first.axes)]  # type: ignore[attr-defined]
    op = replace(node.op, axis=axis)  # type: ignore[type-var]
    bases = tuple(None if t is None else t.base for t in found)
    _emit_turned(sweep, replace(node, op=op), bases, first.axes)
    return True


def _pad(sweep: _Sweep, node: Node) -> bool:
    turned, amounts = sweep.turned(node.inputs[0]), node.inputs[1]
    if turned is None or turned.is_flat or amounts is None or amounts.data is None:
        return False
    if len(node.inputs) > 2:
        return False
    back = np.argsort(turned.axes)
    moved = replace(sweep.fresh(amounts, amounts.shape), data=amounts.data[back].copy())
    _emit_turned(sweep, node, (turned.base, moved), turned.axes)
    return True


def _reduction(sweep: _Sweep, node: Node) -> bool:
    turned, axes = sweep.turned(node.inputs[0]), node.inputs[1]
    if turned is None or turned.is_flat or axes is None or axes.data is None:
        return False
    rank = len(turned.axes)
    reduced = {turned.axes[int(axis) % rank] for axis in axes.data.ravel()}
    data = np.array(sorted(reduced), np.int32)
    moved = replace(sweep.fresh(axes, data.shape), dtype=DType.INT32, data=data)
    if len(node.outputs[0].shape) == rank:
        _emit_turned(sweep, node, (turned.base, moved), turned.axes)
        return True
    left = [axis for axis in turned.axes if axis not in reduced]
    order = tuple(sorted(left).index(axis) for axis in left)
    _emit_turned(sweep, node, (turned.base, moved), order)
    return True


def _fully_connected(sweep: _Sweep, node: Node) -> bool:
    """Put the columns of the weights in the order in which the input lies in memory."""
    turned, weights = sweep.turned(node.inputs[0]), node.inputs[1]
    if turned is None or weights is None or weights.data is None or len(weights.shape) != 2:
        return False
    shape = turned.turned_shape
    if turned.base.elements != weights.shape[1]:
        return False
    back = [0, *(1 + int(axis) for axis in np.argsort(turned.axes))]
    columns = weights.data.reshape(weights.shape[0], *shape).transpose(back)
    data = np.ascontiguousarray(columns.reshape(weights.shape))
    moved = replace(sweep.fresh(weights, weights.shape), data=data)
    x = replace(turned.base, shape=(1, turned.base.elements))
    sweep.emit(replace(node, inputs=(x, moved, *node.inputs[2:])))
    return True


def _emit_turned(sweep: _Sweep, node: Node, inputs: tuple[Tensor | None, ...], axes: Axes) -> None:
    """Emit a node on the tensors before they are turned, and note its output as turned."""
    out = node.outputs[0]
    shape = [0] * len(axes)
    for position, axis in enumerate(axes):
        shape[axis] = out.shape[position]
    base = sweep.fresh(out, tuple(shape))
    sweep.emit(replace(node, inputs=inputs, outputs=(base,)))
    sweep.note(out, base, axes, out.shape)


_RULES: dict[str, Callable[[_Sweep, Node], bool]] = {
    "TRANSPOSE": _transpose,
    "RESHAPE": _reshape,
    "CONCATENATION": _concatenation,
    "PAD": _pad,
    "FULLY_CONNECTED": _fully_connected,
    **dict.fromkeys(REDUCTIONS, _reduction),
}
