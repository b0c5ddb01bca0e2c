"""Keras -> Graph: HDF5 of Keras 2 and 3, and ``.keras`` archives, without TensorFlow.

The file is untrusted: it is data only (``Lambda`` layers are refused, nothing is ever executed),
and whatever it holds ends in a graph or a ``ModelError``.
"""

from __future__ import annotations

import difflib

from tinysim.compiler.graph import Graph, Tensor, defects
from tinysim.compiler.readers.keras import (
    activations,
    layers_pointwise,
    layers_shape,
    layers_weights,
    layers_window,
)
from tinysim.compiler.readers.keras.archive import FIX, damage_in, open_archive
from tinysim.compiler.readers.keras.builder import Builder, Scope
from tinysim.compiler.readers.keras.config import LayerError, shown
from tinysim.compiler.readers.keras.model import MAX_CALLS, Call, Plan, Reference, read_plan
from tinysim.compiler.readers.keras.registry import LAYERS
from tinysim.errors import ModelError, UnsupportedOperatorError

#: The modules that fill ``LAYERS``.
LAYER_MODULES = (activations, layers_pointwise, layers_shape, layers_weights, layers_window)

_FLOATS = ("float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16")


def read(blob: bytes, name: str, sha256: str, where: str) -> Graph:
    """Read a whole model.

    Raises
    ------
    ModelError
        Nothing else, whatever the bytes are.
    """
    config, keras3, weights = open_archive(blob, where)
    with damage_in(where):
        plan = read_plan(config)
    reader = _Reader(Builder(weights, keras3), where)
    inputs = reader.inputs(plan)
    outputs = reader.run(plan, inputs)
    reader.complain()
    found = tuple(tensor for tensor in outputs if tensor is not None)
    graph = Graph(name, sha256, tuple(reader.builder.nodes), inputs_of(inputs), found)
    problems = list(defects(graph))
    if len({tensor.id for tensor in found}) != len(found):
        problems.append("an output is listed twice")
    if {tensor.id for tensor in found} & {tensor.id for tensor in graph.inputs}:
        problems.append("an output is nothing but an input")
    if problems:
        raise ModelError("; ".join(problems[:5]), where=where, fix=FIX)
    return graph


def inputs_of(tensors: list[Tensor | None]) -> tuple[Tensor, ...]:
    """Return the inputs, all of which are known by now."""
    return tuple(tensor for tensor in tensors if tensor is not None)


class _Reader:
    """One model as it is walked, and what is wrong with it."""

    def __init__(self, builder: Builder, where: str) -> None:
        self.builder, self.where = builder, where
        self.unsupported: list[str] = []
        self.problems: list[str] = []
        self._calls = 0

    def inputs(self, plan: Plan) -> list[Tensor | None]:
        """Make the graph's inputs; an open batch is 1."""
        made: list[Tensor | None] = []
        for (name, _, _), shape, dtype in zip(plan.inputs, plan.shapes, plan.dtypes, strict=True):
            label = f"input {shown(name or plan.name)}"
            try:
                made.append(self.builder.tensor(shown(name or "input"), _fixed(shape, dtype)))
            except LayerError as problem:
                self.problems.append(f"{label} {problem}")
                made.append(None)
        return made

    def run(self, plan: Plan, inputs: list[Tensor | None]) -> list[Tensor | None]:
        """Walk a model's calls; what comes behind a problem is unknown: None."""
        known: dict[Reference, Tensor | None] = dict(zip(plan.inputs, inputs, strict=True))
        for call in plan.calls:
            arguments = [known.get(reference) for reference in call.arguments]
            if not all(reference in known for reference in call.arguments) or not arguments:
                self.problems.append(f"layer {call.layer.name}: is called on nothing known")
                arguments = [None]
            results = self._call(call, arguments)
            for number, result in enumerate(results):
                known[call.layer.names[-1], call.index, number] = result
        for reference in plan.outputs:
            if reference not in known:
                self.problems.append(f"output {shown(reference[0])} is never computed")
        return [known.get(reference) for reference in plan.outputs]

    def _call(self, call: Call, arguments: list[Tensor | None]) -> list[Tensor | None]:
        """Make the nodes of one call."""
        self._calls += 1
        if self._calls > MAX_CALLS:
            raise ModelError(
                f"calls layers more than {MAX_CALLS:,} times", where=self.where, fix=FIX
            )
        layer = call.layer
        label = f"layer {layer.name} ({shown(layer.kind)})"
        if layer.plan is not None:
            if len(arguments) == len(layer.plan.inputs):
                return self.run(layer.plan, arguments)
            self.problems.append(f"{label}: is called on {len(arguments)} inputs")
            return [None] * len(layer.plan.outputs)
        if (maker := LAYERS.get(layer.kind)) is None:
            self.unsupported.append(f"{label}: {_unknown(layer.kind)}")
            return [None]
        tensors = inputs_of(arguments)
        if len(tensors) != len(arguments):
            return [None]
        try:
            return [maker(Scope(self.builder, layer, tensors))]
        except LayerError as problem:
            self.unsupported.append(f"{label}: {problem}")
            return [None]

    def complain(self) -> None:
        """Raise one error that lists every problem."""
        text = list(dict.fromkeys(self.unsupported + self.problems))
        if not text:
            return
        kind = UnsupportedOperatorError if self.unsupported else ModelError
        listed = "; ".join(text[:20]) + (f"; and {len(text) - 20} more" if text[20:] else "")
        fix = "replace these layers, or see `tinysim ops` for what is computed"
        raise kind(listed, where=self.where, fix=fix if self.unsupported else FIX)


def _fixed(shape: object, dtype: object) -> list[int]:
    """Return an input's shape with the batch fixed."""
    policy = dtype.get("config") if isinstance(dtype, dict) else {"name": dtype}
    kind = policy.get("name") if isinstance(policy, dict) else policy
    if kind not in _FLOATS:
        raise LayerError(f"is of type {shown(kind)}, which nothing here computes")
    if not isinstance(shape, list) or not shape:
        raise LayerError("has no shape: build the model before saving it")
    sizes = [1 if shape[0] is None else shape[0], *shape[1:]]
    if not all(type(size) is int and size > 0 for size in sizes):
        raise LayerError(f"has the dynamic shape {shown(shape)}: fix every dimension")
    return sizes


def _unknown(kind: str) -> str:
    """Say that a class is not supported, and which are near."""
    if kind in ("Lambda", "TFOpLambda", "SlicingOpLambda"):
        return "code in a model file is never executed, use layers"
    near = difflib.get_close_matches(kind[:60], LAYERS, n=2, cutoff=0.6)
    hint = f" (near: {', '.join(near)})" if near else ""
    return f"class {shown(kind)} is not supported{hint}"
