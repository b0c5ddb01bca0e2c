"""ONNX's protobuf as plain values: nodes, attributes, constants and the graph's ends, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx

from tinysim.compiler.graph import MAX_TENSOR_BYTES, Array
from tinysim.compiler.readers.onnx.wire import check_messages

#: No operator here takes more dimensions.
MAX_RANK = 8
OPSETS = range(7, 22)

_PROTO = onnx.TensorProto
#: Element types, and the field that holds values which are not in ``raw_data``.
_DTYPES = {
    _PROTO.FLOAT: ("float32", "float_data"),
    _PROTO.UINT8: ("uint8", "int32_data"),
    _PROTO.INT8: ("int8", "int32_data"),
    _PROTO.INT32: ("int32", "int32_data"),
    _PROTO.INT64: ("int64", "int64_data"),
    _PROTO.BOOL: ("bool", "int32_data"),
    _PROTO.DOUBLE: ("float64", "double_data"),
}


class Refusal(ValueError):  # noqa: N818 - it is one sentence of an error, collected with others
    """Why a part of the file cannot be read."""


@dataclass(frozen=True, eq=False)
class SourceNode:
    """A node of the file; an absent optional input has an empty name."""

    index: int
    kind: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What messages call the node."""
        domain = f"{self.domain}." if self.domain else ""
        return shown(f"layer {self.index} ({domain}{self.kind}, {(*self.outputs, '')[0]})")


@dataclass(frozen=True, eq=False)
class SourceInput:
    """An input of the graph; a dimension that the file leaves open has a name or ``?``."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True, eq=False)
class Source:
    """A file's graph."""

    opset: int
    nodes: tuple[SourceNode, ...]
    constants: Mapping[str, Array]
    inputs: tuple[SourceInput, ...]
    outputs: tuple[str, ...]


def shown(text: str) -> str:
    """Make a name from the file fit to be shown: printable, short."""
    printable = "".join(char if char.isprintable() else "?" for char in text[:200])
    return printable if len(printable) <= 80 else printable[:77] + "..."


def parse(blob: bytes, problems: list[str]) -> Source:
    """Read the file's tables; what keeps one of them from being used goes to ``problems``."""
    check_messages(blob, onnx.ModelProto.DESCRIPTOR)
    model = onnx.ModelProto.FromString(blob)
    graph = model.graph
    if not graph.node:
        raise Refusal("the file holds no graph with nodes")
    problems += [f"{text} are not read" for text, found in _extras(model) if found]
    constants = {}
    for tensor in graph.initializer:
        label = f"constant {shown(tensor.name)}"
        try:
            constants[tensor.name] = array_of(tensor)
        except Refusal as refusal:
            problems.append(f"{label}: {refusal}")
            constants[tensor.name] = np.zeros((), np.float32)
    inputs = tuple(_input(value) for value in graph.input if value.name not in constants)
    nodes = tuple(_node(node, index, problems) for index, node in enumerate(graph.node))
    outputs = tuple(value.name for value in graph.output)
    if not inputs or not outputs:
        raise Refusal("the graph has no inputs or no outputs")
    if len(set(outputs)) != len(outputs) or len({x.name for x in inputs}) != len(inputs):
        raise Refusal("an input or output is listed twice")
    return Source(_opset(model), nodes, constants, inputs, outputs)


def _extras(model: Any) -> list[tuple[str, Any]]:
    """Return what a model may hold that nothing here computes."""
    return [
        ("local functions", model.functions),
        ("training graphs", model.training_info),
        ("sparse constants", model.graph.sparse_initializer),
    ]


def _opset(model: Any) -> int:
    """Return the version of the standard operators."""
    versions = [int(one.version) for one in model.opset_import if one.domain in ("", "ai.onnx")]
    if len(versions) != 1 or versions[0] not in OPSETS:
        raise Refusal(
            f"operator set {', '.join(map(str, versions)) or 'unknown'}, "
            f"sets {OPSETS.start} to {OPSETS.stop - 1} are read"
        )
    return versions[0]


def array_of(tensor: Any) -> Array:
    """Return a constant's values; nothing outside the file is read.

    Raises
    ------
    Refusal
        If type, shape and data do not go together.
    """
    if tensor.data_location == _PROTO.EXTERNAL or tensor.external_data:
        raise Refusal("its data is in another file: export with the data inside")
    if tensor.data_type not in _DTYPES:
        raise Refusal(f"type {_type_name(tensor.data_type)}, which nothing here computes")
    name, values_field = _DTYPES[tensor.data_type]
    shape = tuple(int(size) for size in tensor.dims)
    dtype = np.dtype(name)
    if len(shape) > MAX_RANK or any(size < 0 for size in shape):
        raise Refusal(f"shape {list(shape[:MAX_RANK])}")
    count = prod(shape)
    if count * dtype.itemsize > MAX_TENSOR_BYTES:
        raise Refusal(f"shape {list(shape)} is too large")
    if tensor.HasField("raw_data"):
        raw = tensor.raw_data
        if len(raw) != count * dtype.itemsize:
            raise Refusal(
                f"shape {list(shape)} has {len(raw)} bytes, expected {count * dtype.itemsize}"
            )
        return np.frombuffer(raw, dtype.newbyteorder("<")).astype(dtype).reshape(shape)
    values = np.array(getattr(tensor, values_field))
    if values.size != count:
        raise Refusal(f"shape {list(shape)} has {values.size} values, expected {count}")
    if dtype.kind in "iu" and count:
        limits = np.iinfo(dtype)
        if values.min() < limits.min or values.max() > limits.max:
            raise Refusal(f"values outside {name}")
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(dtype).reshape(shape)


def _type_name(value: int) -> str:
    names: dict[int, str] = {number: name for name, number in _PROTO.DataType.items()}
    return names.get(value, str(value))


def _input(value: Any) -> SourceInput:
    """Read an input's type; dimensions stay as they are."""
    kind = value.type.tensor_type
    label = f"input {shown(value.name)}"
    if not value.type.HasField("tensor_type"):
        raise Refusal(f"{label} is not a tensor")
    if kind.elem_type not in _DTYPES:
        raise Refusal(f"{label} is of type {_type_name(kind.elem_type)}")
    if not kind.HasField("shape"):
        raise Refusal(f"{label} has no shape")
    if len(kind.shape.dim) > MAX_RANK:
        raise Refusal(f"{label} has {len(kind.shape.dim)} dimensions")
    dims = tuple(
        int(dim.dim_value) if dim.HasField("dim_value") else shown(dim.dim_param) or "?"
        for dim in kind.shape.dim
    )
    return SourceInput(value.name, _DTYPES[kind.elem_type][0], dims)


def _node(node: Any, index: int, problems: list[str]) -> SourceNode:
    """Read a node; an attribute that cannot be read becomes a problem."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    attributes: dict[str, Any] = {}
    found = SourceNode(
        index, node.op_type, domain, tuple(node.input), tuple(node.output), attributes
    )
    for attribute in node.attribute:
        try:
            attributes[attribute.name] = _attribute(attribute)
        except Refusal as refusal:
            problems.append(f"{found.label}: attribute {shown(attribute.name)}: {refusal}")
    return found


def _attribute(attribute: Any) -> Any:
    """Return an attribute as a plain value; a graph becomes the word ``graph``."""
    kinds = onnx.AttributeProto
    plain: dict[int, Callable[[], Any]] = {
        kinds.INT: lambda: int(attribute.i),
        kinds.FLOAT: lambda: float(attribute.f),
        kinds.STRING: lambda: attribute.s.decode("utf-8", "replace"),
        kinds.INTS: lambda: tuple(int(value) for value in attribute.ints),
        kinds.FLOATS: lambda: tuple(float(value) for value in attribute.floats),
        kinds.TENSOR: lambda: array_of(attribute.t),
        kinds.GRAPH: lambda: "graph",
        kinds.STRINGS: lambda: "strings",
    }
    if attribute.type not in plain:
        raise Refusal("is of a type that is not read")
    return plain[attribute.type]()
