"""What TFLite models remember between inferences: variable tensors and resource variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import tflite

from tinysim.compiler.graph import Array, DType, Node, State, Tensor
from tinysim.compiler.ops.read_variable import CopiedVariable, ReadVariable

#: Container and shared name of a resource variable.
Name = tuple[bytes, bytes]

#: Operators that the reader turns into states, or into nothing.
RESOURCE_OPERATORS = ("VAR_HANDLE", "CALL_ONCE", "READ_VARIABLE", "ASSIGN_VARIABLE")

MAX_NAME_BYTES = 4096


def variable_state(tensor: Tensor) -> State:
    """Return the state that a variable tensor is: zeros, or int8's zero point, as TFLM begins."""
    has_zero_point = tensor.dtype is DType.INT8 and tensor.quant is not None
    fill = tensor.zero_point if has_zero_point else 0
    return State(tensor, np.full(tensor.shape, fill, tensor.dtype.value))


def variable_name(table: Any) -> Name:
    """Return what a VAR_HANDLE calls its variable."""
    options, union = tflite.VarHandleOptions(), table.BuiltinOptions()
    if union is None or table.BuiltinOptionsType() != tflite.BuiltinOptions.VarHandleOptions:
        raise ValueError("a VAR_HANDLE names no variable")
    options.Init(union.Bytes, union.Pos)
    name = (options.Container() or b"", options.SharedName() or b"")
    if max(map(len, name)) > MAX_NAME_BYTES:
        raise ValueError("the name of a variable is too long")
    return name


def called_once(table: Any) -> int:
    """Return the subgraph that a CALL_ONCE runs."""
    options, union = tflite.CallOnceOptions(), table.BuiltinOptions()
    if union is None or table.BuiltinOptionsType() != tflite.BuiltinOptions.CallOnceOptions:
        raise ValueError("a CALL_ONCE names no subgraph")
    options.Init(union.Bytes, union.Pos)
    return int(options.InitSubgraphIndex())


@dataclass
class Variables:
    """The resource variables of a file; ``first_id`` is free for their storage, and all behind."""

    first_id: int
    problems: list[str]
    _states: dict[Name, State] = field(default_factory=dict)
    _handles: dict[tuple[int, int], Name] = field(default_factory=dict)

    @property
    def states(self) -> tuple[State, ...]:
        """All variables that anything assigns, in the order in which they were found."""
        return tuple(self._states.values())

    def handle(self, subgraph: int, tensor: int, name: Name) -> None:
        """Remember that a tensor of a subgraph stands for a variable."""
        self._handles[subgraph, tensor] = name

    def assign(
        self, subgraph: int, handle: int, value: Tensor, label: str, initial: Array | None = None
    ) -> None:
        """Note that ``value`` is assigned: it gives the variable its shape and type.

        Without ``initial`` every byte of the variable is the value's zero point, as TFLM begins.
        """
        name = self._name(subgraph, handle)
        known = self._states.get(name)
        if known is not None and not _is_alike(known.tensor, value):
            self.problems.append(
                f"{label}: assigns {value.dtype.value}{list(value.shape)} to a variable of "
                f"{known.tensor.dtype.value}{list(known.tensor.shape)}"
            )
        elif known is None:
            tensor = replace(value, id=self.first_id + len(self._states), data=None)
            filling = _zero_point_bytes(value) if initial is None else initial
            self._states[name] = State(tensor, filling)
        elif initial is not None:
            self._states[name] = State(known.tensor, initial)

    def state(self, handle: int) -> State | None:
        """Return the variable that a handle of the main subgraph stands for, if it has a value."""
        return self._states.get(self._name(0, handle))

    def _name(self, subgraph: int, tensor: int) -> Name:
        name = self._handles.get((subgraph, tensor))
        if name is None:
            raise ValueError(f"tensor {tensor} is not the handle of a variable")
        return name


def _is_alike(a: Tensor, b: Tensor) -> bool:
    return a.dtype is b.dtype and a.elements == b.elements


def _zero_point_bytes(tensor: Tensor) -> Array:
    """Return a tensor's first value: all bytes the low byte of its zero point."""
    fill = tensor.quant.zero_point[0] & 0xFF if tensor.quant is not None else 0
    filled = np.full(tensor.size_bytes, fill, np.uint8).view(tensor.dtype.value)
    return filled.reshape(tensor.shape)


def settle_reads(nodes: Sequence[Node], outputs: Sequence[Tensor]) -> tuple[Node, ...]:
    """Make copies of the reads whose variable is assigned anew before their last use.

    All other reads are views: their consumers read the variable's own storage.
    """
    last_use = _last_uses(nodes, outputs)
    settled = list(nodes)
    for index, node in enumerate(nodes):
        if not isinstance(node.op, ReadVariable) or node.inputs[0] is None:
            continue
        end = last_use.get(node.outputs[0].id, index)
        storage = node.inputs[0].id
        between = (tensor.id for other in nodes[index + 1 : end] for tensor in other.outputs)
        if storage in between:
            settled[index] = replace(node, op=CopiedVariable())
    return tuple(settled)


def _last_uses(nodes: Sequence[Node], outputs: Sequence[Tensor]) -> dict[int, int]:
    """Return by tensor the last node that reads it; a view reads for as long as it is read."""
    last = {tensor.id: len(nodes) for tensor in outputs}
    for index in reversed(range(len(nodes))):
        node = nodes[index]
        until = last.get(node.outputs[0].id, index) if node.op.is_view else index
        for tensor in node.activations:
            last[tensor.id] = max(last.get(tensor.id, index), until)
    return last
