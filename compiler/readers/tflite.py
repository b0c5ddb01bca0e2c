"""TFLite -> Graph. The file is untrusted: every length and index is checked before it is used."""

from __future__ import annotations

import difflib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from tinysim.compiler.graph import (
    DType,
    Graph,
    Node,
    State,
    Tensor,
    defects,
)
from tinysim.compiler.ops import Operator, operator_class, operator_names
from tinysim.compiler.passes.fold_constants import Folding
from tinysim.compiler.readers._tflite_legacy import (
    as_floats,
    as_int8,
    edges,
    float_weights,
    legacy_tensors,
)
from tinysim.compiler.readers._tflite_options import (
    read_custom_options,
    read_options,
)
from tinysim.compiler.readers._tflite_states import (
    RESOURCE_OPERATORS,
    Variables,
    called_once,
    settle_reads,
    variable_name,
    variable_state,
)
from tinysim.compiler.readers._tflite_tensors import FIX_FILE, Tables
from tinysim.errors import ModelError, UnsupportedOperatorError

#: What the flatbuffer accessors raise on damaged bytes (they check nothing themselves).
_DAMAGE = (
    struct.error,
    IndexError,
    ValueError,
    TypeError,
    OverflowError,
    AttributeError,
    MemoryError,
    KeyError,
    UnicodeDecodeError,
)


def read(blob: bytes, name: str, sha256: str, where: str) -> Graph:
    """Read a TFLite file's only subgraph.

    Raises
    ------
    ModelError
        Nothing else, whatever the bytes are.
    """
    try:
        graph = _Reader(blob, where).graph(name, sha256)
    except _DAMAGE as error:
        raise ModelError(
            f"not a readable TFLite file ({type(error).__name__}: {error})"[:300],
            where=where,
            fix=FIX_FILE,
        ) from error
    if problems := list(defects(graph)):
        raise ModelError("; ".join(problems[:5]), where=where, fix=FIX_FILE)
    return graph


@dataclass(frozen=True, eq=False)
class _Call:
    """An operator of the file: its place, name, tensor indices and table."""

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    table: Any

    def __str__(self) -> str:
        return f"layer {self.index} ({self.kind})"


class _Reader(Tables):
    """The tables of one file, and what is wrong with them."""

    def __init__(self, blob: bytes, where: str) -> None:
        super().__init__(blob, where)
        self.unsupported: list[str] = []
        self._is_variable: set[int] = set()
        self._states: dict[int, State] = {}
        self._free_ids = count()
        self._notes: list[str] = []
        self._variables = Variables(0, self.problems)

    def graph(self, name: str, sha256: str) -> Graph:
        """Read everything, then complain of everything at once."""
        if not (subgraphs := self.length(self.model.SubgraphsLength())):
            raise ValueError("holds no subgraph")
        tensors, calls = self._subgraph(0)
        pick = self._picker(tensors)
        ends = [self.model.Subgraphs(0).InputsAsNumpy(), self.model.Subgraphs(0).OutputsAsNumpy()]
        inputs, outputs = self._ends("input", ends[0], pick), self._ends("output", ends[1], pick)
        legacy = legacy_tensors(tensors, [(c.kind, (*c.inputs, *c.outputs)) for c in calls])
        for index in legacy:
            tensors[index] = as_int8(tensors[index])
        self._variables = Variables(len(tensors), self.problems)
        used = {0} | self._find_variables(calls, pick)
        if subgraphs != len(used):
            self.unsupported.append(
                f"holds {subgraphs} subgraphs: one is compiled, others may only set variables once"
            )
        self._free_ids = count(len(tensors) + len(self._variables.states))
        nodes = self._nodes(calls, tensors, pick)
        known = {t.id: t for t in tensors if t.data is not None and t.id not in legacy}
        outputs = tuple(known.get(tensor.id, tensor) for tensor in outputs)
        if any(tensor.id in self._is_variable for tensor in inputs):
            raise ValueError("an input of the graph is a variable")
        self._complain()
        states = (*self._variables.states, *self._states.values())
        first = next(self._free_ids)
        into = list(edges(inputs, legacy, first, is_input=True))
        out_of = list(edges(outputs, legacy, first + len(inputs), is_input=False))
        nodes = [
            *(node for _, node in into if node is not None),
            *settle_reads(tuple(nodes), tuple(t for t in outputs if t.id not in legacy)),
            *(node for _, node in out_of if node is not None),
        ]
        return Graph(
            name,
            sha256,
            tuple(nodes),
            tuple(tensor for tensor, _ in into),
            tuple(tensor for tensor, _ in out_of),
            tuple(self._notes),
            states,
            self._whole_names(tensors),
        )

    def _whole_names(self, tensors: list[Tensor]) -> dict[int, str]:
        """Return the names of which less is shown: what is too long or cannot be printed."""
        table = self.model.Subgraphs(0)
        found = {}
        for index, tensor in enumerate(tensors):
            if tensor.id == index:  # else nothing uses it
                found[index] = (table.Tensors(index).Name() or b"").decode("utf-8", "replace")
        return {index: name for index, name in found.items() if name != tensors[index].name}

    def _nodes(
        self, calls: list[_Call], tensors: list[Tensor], pick: Callable[[int], Tensor | None]
    ) -> list[Node]:
        """Read the operators; what is known already is put in place, later ones may need it."""
        nodes = []
        folding = Folding()
        for call in calls:
            if (floats := self._widened(call, pick)) is not None:
                tensors[floats.id] = floats
                continue
            if (node := self._node(call, pick)) is None:
                continue
            is_state = any(tensor.id in self._kept for tensor in node.outputs)
            results = None if is_state or self.problems else folding.known_outputs(node)
            if results is None:
                nodes.append(node)
                continue
            for tensor, value in zip(node.outputs, results, strict=True):
                tensors[tensor.id] = replace(tensor, data=value.reshape(tensor.shape))
            self._notes.append(f"{call.kind} {node.name}: computed at compile time")
        return nodes

    def _widened(self, call: _Call, pick: Callable[[int], Tensor | None]) -> Tensor | None:
        """Return the floats that a DEQUANTIZE makes of a constant of fewer bytes, if it is one."""
        if call.kind != "DEQUANTIZE" or (len(call.inputs), len(call.outputs)) != (1, 1):
            return None
        stored, out = pick(call.inputs[0]), pick(call.outputs[0])
        if stored is None or out is None or out.dtype is not DType.FLOAT32:
            return None
        if out.data is not None or out.shape != stored.shape or out.id in self._is_variable:
            return None
        is_half = self.is_half(call.inputs[0])
        if (data := stored.data if is_half else as_floats(stored)) is None:
            return None
        self.charge(stored.elements)
        kind = "float16" if is_half else stored.dtype.value
        self._notes.append(
            f"{call.kind} {out.name}: a constant of {kind} became float32, in flash, too"
        )
        return replace(out, data=data)

    @property
    def _kept(self) -> set[int]:
        """Tensors that keep their value between inferences."""
        states = (*self._variables.states, *self._states.values())
        return {state.tensor.id for state in states}

    def _subgraph(self, index: int) -> tuple[list[Tensor], list[_Call]]:
        """Read the tensors of a subgraph, and what it calls on which of them."""
        table = self.model.Subgraphs(index)
        calls = [self._call(table.Operators(i), i) for i in self.range(table.OperatorsLength())]
        used = {i for call in calls for i in (*call.inputs, *call.outputs)}
        used |= {*self.ints(table.InputsAsNumpy()), *self.ints(table.OutputsAsNumpy())}
        # What nothing reads or writes may be anything: notes of the quantizer have no shape.
        unused = Tensor(-1, "", (1,), DType.INT8)
        tensors = [
            self.tensor(table.Tensors(i), i) if i in used else unused
            for i in self.range(table.TensorsLength())
        ]
        if index == 0:
            self._is_variable = {i for i in range(len(tensors)) if table.Tensors(i).IsVariable()}
        return tensors, calls

    def _call(self, table: Any, index: int) -> _Call:
        kind = self.operator_name(table.OpcodeIndex())
        inputs, outputs = table.InputsAsNumpy(), table.OutputsAsNumpy()
        return _Call(index, kind, self.ints(inputs), self.ints(outputs), table)

    def _complain(self) -> None:
        """Raise one error that lists every problem."""
        if self.unsupported:
            text = self.unsupported + self.problems
            raise UnsupportedOperatorError(
                "; ".join(text[:20]) + (f"; and {len(text) - 20} more" if len(text) > 20 else ""),
                where=self.where,
                fix="replace these layers, or see `tinysim ops` for what is computed",
            )
        if self.problems:
            raise ModelError("; ".join(self.problems[:20]), where=self.where, fix=FIX_FILE)

    def _picker(self, tensors: list[Tensor]) -> Callable[[int], Tensor | None]:
        """Return a function from tensor index to tensor; -1 is an absent optional input."""

        def pick(index: int) -> Tensor | None:
            if index == -1:
                return None
            if not 0 <= index < len(tensors):
                raise IndexError(f"tensor {index} of {len(tensors)}")
            return tensors[index]

        return pick

    def _ends(
        self, role: str, indices: Any, pick: Callable[[int], Tensor | None]
    ) -> tuple[Tensor, ...]:
        """Return the graph's inputs or outputs."""
        found = [] if isinstance(indices, int) else [pick(int(i)) for i in indices]
        if not found or None in found:
            raise ValueError(f"the graph has no {role}")
        ends = tuple(tensor for tensor in found if tensor is not None)
        if len({tensor.id for tensor in ends}) != len(ends):
            raise ValueError(f"an {role} is listed twice")
        if role == "input" and any(tensor.data is not None for tensor in ends):
            raise ValueError("an input of the graph is a constant")
        return ends

    def _find_variables(self, calls: list[_Call], pick: Callable[[int], Tensor | None]) -> set[int]:
        """Learn of all resource variables; return the subgraphs that only set them once."""
        once: set[int] = set()
        is_used = False
        for call in calls:
            is_used |= call.kind in ("READ_VARIABLE", "ASSIGN_VARIABLE")
            if call.kind == "CALL_ONCE":
                index = called_once(call.table)
                if is_used or index in once:
                    self.problems.append(f"{call}: runs after the variables are used, or again")
                once.add(index)
                self._set_variables(index)
            elif call.kind in RESOURCE_OPERATORS:
                self._find_variable(0, call, pick)
        return once

    def _find_variable(
        self, subgraph: int, call: _Call, pick: Callable[[int], Tensor | None]
    ) -> None:
        """Learn what a handle stands for, and the type of what is assigned."""
        if call.kind == "VAR_HANDLE":
            (handle,) = call.outputs
            name = variable_name(call.table)
            self.charge(len(name[0]) + len(name[1]))
            self._variables.handle(subgraph, handle, name)
        elif call.kind == "ASSIGN_VARIABLE":
            handle, value = call.inputs
            tensor = pick(value)
            if tensor is None:
                raise ValueError(f"{call} assigns nothing")
            if subgraph and tensor.data is None:
                self.unsupported.append(f"{call}: a variable begins as what is no constant")
            self._variables.assign(
                subgraph, handle, tensor, str(call), tensor.data if subgraph else None
            )

    def _set_variables(self, index: int) -> None:
        """Read a subgraph that runs once: it gives variables the values that they begin with."""
        if not 0 < index < self.model.SubgraphsLength():
            raise IndexError(f"subgraph {index}")
        tensors, calls = self._subgraph(index)
        for call in calls:
            if call.kind not in ("VAR_HANDLE", "ASSIGN_VARIABLE"):
                self.unsupported.append(
                    f"{call} in a subgraph that runs once: only constants are assigned there"
                )
            else:
                self._find_variable(index, call, self._picker(tensors))

    def _node(self, call: _Call, pick: Callable[[int], Tensor | None]) -> Node | None:
        """Read an operator and let it check its tensors."""
        kind = call.kind
        if kind in ("VAR_HANDLE", "CALL_ONCE"):
            return None
        if (cls := operator_class(kind)) is None:
            near = difflib.get_close_matches(kind, operator_names(), n=2, cutoff=0.6)
            hint = f" (near: {', '.join(near)})" if near else ""
            self.unsupported.append(f"{call}: operator {kind} is not supported{hint}")
            return None
        inputs, outputs = self._arguments(call, pick)
        if not inputs or not outputs or any(tensor.data is not None for tensor in outputs):
            raise ValueError(f"{call} lacks inputs or outputs")
        if (real := float_weights(kind, inputs)) is not None:
            self._notes.append(
                f"{kind} {outputs[0].name}: hybrid, its integer weights became float32, "
                "in flash, too"
            )
            inputs = real
        is_custom = kind.startswith("CUSTOM:")
        options = read_custom_options(call.table) if is_custom else read_options(call.table)
        op: Operator = cls.from_tflite(options)
        label = f"layer {call.index} ({kind}, {outputs[0].name})"
        found = list(_problems(op, inputs, outputs)) + list(self._state_problems(op, inputs))
        if any(index >= 0 and self.is_half(index) for index in call.inputs):
            found.append("takes float16, which only DEQUANTIZE does")
        self.unsupported += [f"{label}: {problem}" for problem in found]
        return None if found else self._stateful(Node(outputs[0].name, op, inputs, outputs))

    def _arguments(
        self, call: _Call, pick: Callable[[int], Tensor | None]
    ) -> tuple[tuple[Tensor | None, ...], tuple[Tensor, ...]]:
        """Return an operator's tensors, storage in place of the handles of variables."""
        inputs = tuple(pick(i) for i in call.inputs)
        outputs = tuple(tensor for i in call.outputs if (tensor := pick(i)) is not None)
        if call.kind not in ("READ_VARIABLE", "ASSIGN_VARIABLE"):
            return inputs, outputs
        if (state := self._variables.state(call.inputs[0])) is None:
            raise ValueError(f"{call}: nothing ever assigns the variable")
        if call.kind == "READ_VARIABLE":
            return (state.tensor,), outputs
        return inputs[1:], (state.tensor,)

    def _state_problems(self, op: Operator, inputs: tuple[Tensor | None, ...]) -> Iterator[str]:
        """Yield where variable tensors stand in other places than an operator's states."""
        for index, tensor in enumerate(inputs):
            is_variable = tensor is not None and tensor.id in self._is_variable
            if is_variable and index not in op.state_inputs:
                yield f"input {index} is a variable tensor, which the operator does not keep"
            elif index in op.state_inputs and not is_variable:
                yield f"input {index} is no variable tensor, the operator keeps its state there"

    def _stateful(self, node: Node) -> Node:
        """Make a node write the states that it changes, those of the file and its own."""
        changed = [node.inputs[index] for index in node.op.state_inputs]
        own = []
        for initial in node.op.own_states(node.inputs, node.outputs):
            dtype = DType(initial.dtype.name)
            tensor = Tensor(next(self._free_ids), node.name, initial.shape, dtype)
            own.append(tensor)
            self._states[tensor.id] = State(tensor, initial)
        for tensor in (tensor for tensor in changed if tensor is not None):
            self._states[tensor.id] = variable_state(tensor)
            own.append(tensor)
        inputs = (*node.inputs, *(tensor for tensor in own if tensor not in changed))
        return Node(node.name, node.op, inputs, (*node.outputs, *own))


def _problems(op: Operator, inputs: tuple[Tensor | None, ...], outputs: Any) -> Iterator[str]:
    """Yield what an operator finds wrong, and values no kernel was ever meant for."""
    for field in ("stride_h", "stride_w", "dilation_h", "dilation_w", "filter_h", "filter_w"):
        if getattr(op, field, 1) < 1:
            yield f"{field} is {getattr(op, field)}"
            return
    if op.output_count not in (None, len(outputs)):
        yield f"has {len(outputs)} outputs, expected {op.output_count}"
        return
    activation = getattr(op, "activation", "NONE")
    if activation not in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"):
        yield f"fused activation {activation} has no kernel"
        return
    yield from op.problems(inputs, outputs)
