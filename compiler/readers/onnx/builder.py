"""Nodes of the file, one after another, into the graph's tensors and nodes."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from tinysim.compiler.graph import MAX_TENSOR_BYTES, Array, DType, Graph, Node, Quant, Tensor
from tinysim.compiler.ops import operator_class, operator_names
from tinysim.compiler.readers.onnx import (
    elementwise,
    image,
    linear,
    pool,
    quantized,
    reduce,
    resize,
    shape,
)
from tinysim.compiler.readers.onnx.evaluate import evaluate
from tinysim.compiler.readers.onnx.fold import fold, quantizations
from tinysim.compiler.readers.onnx.layer import Layer, Value, signed
from tinysim.compiler.readers.onnx.registry import READERS
from tinysim.compiler.readers.onnx.source import (
    MAX_RANK,
    Refusal,
    Source,
    SourceInput,
    SourceNode,
    shown,
)

#: Imported for the operators that they file.
OPERATOR_MODULES = (elementwise, image, linear, pool, quantized, reduce, resize, shape)

_DAMAGE = (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError)


class Builder:
    """What has been read so far, and what is wrong with it."""

    def __init__(
        self, source: Source, size: int, problems: list[str], unsupported: list[str]
    ) -> None:
        self.opset = source.opset
        self.problems, self.unsupported = problems, unsupported
        self.nodes: list[Node] = []
        self.values: dict[str, Value] = {}
        self._source = source
        self._notes: list[str] = []
        self._made = 0
        # A small file may ask for a large constant thousands of times.
        self._budget = 16 * size + 4_000_000

    def graph(self, name: str, sha256: str) -> Graph:
        """Read inputs, nodes and outputs."""
        source = self._source
        nodes = fold(source)
        self._hints = quantizations(nodes, source.constants)
        for key, array in source.constants.items():
            self.values[key] = Value(self.constant(array, key))
        inputs = tuple(self._input(entry) for entry in source.inputs)
        unknown: set[str] = set()
        for node in nodes:
            missing = [key for key in node.inputs if key and key not in self.values]
            if missing and not unknown.intersection(missing):
                self.problems.append(
                    f"{node.label}: reads {shown(missing[0])} before anything has written it"
                )
            if missing or not self._read(node):
                unknown.update(node.outputs)
        outputs = [self._output(key) for key in source.outputs if key not in unknown]
        kept = tuple(tensor for tensor in outputs if tensor is not None)
        return Graph(name, sha256, tuple(self.nodes), inputs, kept, tuple(self._notes))

    def charge(self, count: int) -> None:
        """Count bytes that are made, so that a file cannot cost more than its size allows."""
        self._budget -= count
        if self._budget < 0:
            raise Refusal("the file unfolds to far more data than it holds")

    def constant(self, array: Array, name: str = "constant", quant: Quant | None = None) -> Tensor:
        """Return a constant tensor; of what only shapes are made of the type is kept in numpy."""
        self.charge(array.nbytes)
        kind = DType.FLOAT32 if array.dtype == np.float64 else DType(array.dtype.name)
        return Tensor(self._id(), shown(name), array.shape, kind, quant, array)

    def tensor(
        self, dims: Sequence[int], dtype: DType, name: str, quant: Quant | None = None
    ) -> Tensor:
        """Return a tensor that is computed at run time."""
        sizes = tuple(int(size) for size in dims)
        if len(sizes) > MAX_RANK or any(size < 1 for size in sizes):
            raise Refusal(f"the shape {list(sizes[: MAX_RANK + 1])} has no kernel")
        if prod(sizes) * dtype.itemsize > MAX_TENSOR_BYTES:
            raise Refusal(f"the shape {list(sizes)} is too large")
        return Tensor(self._id(), shown(name), sizes, dtype, quant)

    def add(self, node: SourceNode, kind: str, inputs: Any, out: Tensor, options: Any) -> Tensor:
        """Append a node of the graph, unless its operator refuses it; return what it writes."""
        if (cls := operator_class(kind)) is None:
            raise Refusal(f"operator {kind} is not supported")
        op = cls(**options)
        if found := list(op.problems(inputs, (out,))):
            raise Refusal("; ".join(f"{kind}: {text}" for text in found))
        self.nodes.append(Node(out.name, op, inputs, (out,)))
        return out

    def _id(self) -> int:
        self._made += 1
        return self._made - 1

    def _read(self, node: SourceNode) -> bool:
        """Read one node; tell whether its outputs are known now."""
        try:
            self._file(node, self._results(node))
        except Refusal as refusal:
            self.unsupported.append(f"{node.label}: {refusal}")
            return False
        except _DAMAGE as error:
            self.problems.append(f"{node.label}: malformed ({type(error).__name__})")
            return False
        return True

    def _results(self, node: SourceNode) -> Any:
        if "graph" in node.attributes.values():
            raise Refusal(f"operator {shown(node.kind)} holds a graph: control flow is not read")
        layer = Layer(self, node)
        if (arrays := evaluate(layer)) is not None:
            return tuple(self.constant(array, node.outputs[0]) for array in arrays)
        if (reader := READERS.get((node.domain, node.kind))) is None:
            names = [*operator_names(), *(kind for _, kind in READERS)]
            near = difflib.get_close_matches(node.kind[:80], sorted(set(names)), n=2, cutoff=0.6)
            hint = f" (near: {', '.join(near)})" if near else ""
            raise Refusal(f"operator {shown(node.kind)} is not supported{hint}")
        return reader(layer)

    def _file(self, node: SourceNode, results: Any) -> None:
        """Give a node's results the names that its outputs have in the file."""
        if not isinstance(results, tuple):
            results = (results,)
        named = [key for key in node.outputs if key]
        if len(named) > len(results):
            raise Refusal(f"{len(named)} outputs, only {len(results)} are computed")
        if any(key in self.values for key in named):
            raise Refusal(f"output {shown(named[0])} is written a second time")
        is_unsigned = any(key and self.values[key].unsigned for key in node.inputs)
        for key, result in zip(node.outputs, results, strict=False):
            if isinstance(result, Tensor):
                is_byte = result.dtype is DType.INT8
                result = Value(result, is_unsigned and is_byte)
            self.values[key] = result

    def _input(self, entry: SourceInput) -> Tensor:
        """Return an input of the graph; bytes without a sign are given one at once."""
        label = f"input {shown(entry.name)}"
        sizes: list[int] = []
        for axis, size in enumerate(entry.shape):
            if isinstance(size, str) and axis == 0 and len(entry.shape) > 1:
                self._notes.append(f"open batch dimension {size} of {label}: compiled for one")
                sizes.append(1)
            elif isinstance(size, str) or size < 1:
                self.problems.append(f"{label}: dimension {axis} is {size}: fix every dimension")
                sizes.append(1)
            else:
                sizes.append(size)
        if entry.dtype == "float64":
            self.problems.append(f"{label} is of type float64, which nothing here computes")
            entry = replace(entry, dtype="float32")
        dtype = DType(entry.dtype)
        try:
            made = self.tensor(sizes, dtype, entry.name)
        except Refusal as refusal:
            self.problems.append(f"{label}: {refusal}")
            made = self.tensor((1,), dtype, entry.name)
        if dtype not in (DType.INT8, DType.UINT8):
            self.values[entry.name] = Value(made)
            return made
        inner, is_unsigned = self._hint(entry.name, dtype is DType.UINT8), dtype is DType.UINT8
        made = replace(made, quant=_of_file(inner, is_unsigned))
        self.values[entry.name] = Value(replace(made, quant=inner))
        if is_unsigned:
            out = self.tensor(sizes, DType.INT8, entry.name, inner)
            self.values[entry.name] = Value(self._edge(entry.name, made, out), unsigned=True)
        return made

    def _output(self, key: str) -> Tensor | None:
        """Return an output of the graph, of the type that it has in the file."""
        if (value := self.values.get(key)) is None:
            self.problems.append(f"output {shown(key)} is never written")
            return None
        tensor = value.tensor
        if tensor.data is not None:
            self.problems.append(f"output {shown(key)} is a constant")
            return None
        if not value.unsigned:
            return tensor
        inner = tensor.quant or self._hint(key, True)
        out = self.tensor(tensor.shape, DType.UINT8, key, _of_file(inner, True))
        return self._edge(key, replace(tensor, quant=inner), out)

    def _edge(self, key: str, x: Tensor, out: Tensor) -> Tensor:
        """Change the sign of bytes at the model's edge."""
        node = SourceNode(-1, "edge", "", (key,), (key,))
        try:
            return self.add(node, "QUANTIZE", (x,), out, {})
        except Refusal as refusal:
            self.unsupported.append(f"{shown(key)} of type uint8: {refusal}")
            return out

    def _hint(self, key: str, is_unsigned: bool) -> Quant:
        """Return the quantization that a node of the file states for a value."""
        found = self._hints.get(key)
        return found or signed((1.0,), (0,), is_unsigned)


def _of_file(inner: Quant, is_unsigned: bool) -> Quant:
    """Return the quantization as the file has it: without a sign, 128 more."""
    return replace(inner, zero_point=(inner.zero_point[0] + 128 * is_unsigned,))
