"""ONNX models made in memory, and what ONNX Runtime computes with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Array = NDArray[Any]
Inputs = Mapping[str, Array]

MICROSOFT = "com.microsoft"


def node(kind: str, inputs: str, outputs: str = "y", domain: str = "", **attributes: Any) -> Any:
    """Return a node; names are separated by blanks, ``-`` is an absent input."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(kind, names, outputs.split(), domain=domain, **attributes)


def build(
    nodes: Sequence[Any],
    inputs: Inputs,
    constants: Inputs | None = None,
    outputs: Sequence[tuple[str, str]] = (("y", "float32"),),
    opset: int = 17,
    shapes: Mapping[str, Sequence[int | str]] | None = None,
) -> bytes:
    """Return the bytes of a model; ``inputs`` are samples, which give types and shapes."""
    ends = [
        helper.make_tensor_value_info(
            name, _kind(value.dtype.name), (shapes or {}).get(name, value.shape)
        )
        for name, value in inputs.items()
    ]
    results = [helper.make_tensor_value_info(name, _kind(dtype), None) for name, dtype in outputs]
    initializers = [numpy_helper.from_array(v, name) for name, v in (constants or {}).items()]
    graph = helper.make_graph(list(nodes), "graph", ends, results, initializers)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(model.SerializeToString())


def _kind(dtype: str) -> int:
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def run(model: bytes, inputs: Inputs) -> list[Array]:
    """Return what ONNX Runtime's CPU provider computes, with its default options."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return [np.asarray(value) for value in session.run(None, dict(inputs))]


def with_external_data(model: bytes) -> bytes:
    """Return a model whose first constant says that its data is in another file."""
    proto = onnx.ModelProto.FromString(model)
    tensor = proto.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    return bytes(proto.SerializeToString())
