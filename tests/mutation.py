"""Damaged model files, and what must hold of each: a graph that computes, or a ModelError.

Files are damaged as bytes; models are taken apart, changed where it hurts (shapes, types, scales,
options, constants, wiring) and written anew, so that what lies behind the parsers meets damage,
too. For a long run, in processes of bounded time and memory::

    python -m tests.mutation tflite 100000 FOLDER...    # or onnx; seeds from FOLDERs, findings here
"""

from __future__ import annotations

import importlib
import math
import os
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
import tflite

from tests.tflite_models import Array, OperatorSpec, TensorSpec, build_model
from tinysim.compiler.emit import emit_c
from tinysim.compiler.graph import DType, Graph
from tinysim.compiler.memory import directed, plan_memory
from tinysim.compiler.ops import operator_names
from tinysim.compiler.passes import run_passes
from tinysim.compiler.readers._tflite_options import enum_names, read_custom_options, read_options
from tinysim.compiler.reference import Reference
from tinysim.errors import ModelError

#: What a file may cost.
MAX_SECONDS, MAX_BYTES = 5.0, 2**30
#: What is more is compiled, but not computed here.
MAX_MACS, MAX_COMPUTED_BYTES = 20_000_000, 2**18

NUMBERS = (-(2**31), -1000, -3, -2, -1, 0, 1, 2, 3, 4, 5, 7, 8, 16, 31, 32, 33, 64, 100, 127, 128,
           255, 256, 1000, 32767, 32768, 65535, 65536, 2**20, 2**24, 2**30, 2**31 - 1)  # fmt: skip
REALS = (0.0, 1e-45, 1e-38, 1e-30, 1e-10, 0.5, 1.0, 3.0, 255.0, 2.0**30, 2.0**31, 1e30, 3e38,
         -1.0, math.inf, math.nan)  # fmt: skip


# --- what must hold -------------------------------------------------------------------------------


def accepted(blob: bytes, suffix: str) -> bool:
    """Compile a file as far as C and compute it; False if it is refused as it should be."""
    reader = importlib.import_module(f"tinysim.compiler.readers.{suffix}")
    try:
        graph: Graph = reader.read(blob, "x", "0" * 64, f"x.{suffix}")
        lowered = run_passes(graph)
        calls = tuple(node.op.lower(node.inputs, node.outputs) for node in lowered.nodes)
        plan = plan_memory(lowered, calls)
        calls = directed(calls, plan)
        emit_c(lowered, plan, calls)
    except ModelError as error:
        assert not isinstance(error.__cause__, MemoryError), "more memory than there is"
        assert not is_from_operator(error.__cause__), "an operator meets what it should refuse"
        return False
    assert plan.arena_bytes < 2**31
    for node in lowered.nodes:
        if not node.op.state_inputs and not node.op.own_states(node.inputs, node.outputs):
            found = list(node.op.problems(node.inputs, node.outputs))
            assert not found, f"a pass has made {node.op.tflite} of {found}"
    for call in (call for parts in calls for call in parts):
        for name, value in call.params.items():
            is_fit = isinstance(value, float) or -(2**31) <= value < 2**31
            assert is_fit, f"{call.kernel}: {name} is {value}"
    if computed_bytes(graph) <= MAX_COMPUTED_BYTES and macs(graph) <= MAX_MACS:
        assert_computes(graph, lowered)
    return True


def is_from_operator(error: BaseException | None) -> bool:
    """Tell whether a reader has caught what an operator should not have raised."""
    if isinstance(error, KeyError):  # options of another operator
        return False
    trace = None if error is None else error.__traceback__
    folders = [Path(frame.filename).parent.name for frame in traceback.extract_tb(trace)]
    return "ops" in folders


def macs(graph: Graph) -> int:
    return sum(node.op.macs(node.inputs, node.outputs) for node in graph.nodes)


def computed_bytes(graph: Graph) -> int:
    tensors = [*graph.inputs, *(tensor for node in graph.nodes for tensor in node.outputs)]
    return sum(tensor.size_bytes for tensor in tensors)


def assert_computes(graph: Graph, lowered: Graph) -> None:
    """Two inferences work, and the passes have not changed one integer of them."""
    rng = np.random.default_rng(20261121)
    before, after = Reference(graph), Reference(lowered)
    tensors = [tensor for node in graph.nodes for tensor in (*node.inputs, *node.outputs) if tensor]
    is_exact = all(tensor.dtype is not DType.FLOAT32 for tensor in tensors)
    for _ in range(2):
        inputs = tuple(random_values(t.shape, t.dtype.value, rng) for t in graph.inputs)
        found, expected = after.infer(inputs), before.infer(inputs)
        for ours, theirs, tensor in zip(found, expected, graph.outputs, strict=True):
            assert theirs.dtype == np.dtype(tensor.dtype.value)
            assert theirs.shape == tensor.shape
            assert ours.dtype == theirs.dtype
            if is_exact:
                np.testing.assert_array_equal(ours.ravel(), theirs.ravel())


def random_values(shape: tuple[int, ...], dtype: str, rng: np.random.Generator) -> Array:
    if dtype == "float32":
        return rng.uniform(-1, 1, shape).astype(np.float32)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


# --- bytes ----------------------------------------------------------------------------------------


def damaged(blob: bytes, rng: random.Random) -> bytes:
    """Damage a file: bits, bytes, words, cuts, insertions, parts of it twice, at times its end."""
    data = bytearray(blob)
    for _ in range(rng.choice([1, 1, 1, 2, 4, 16])):
        at = rng.randrange(len(data)) if data else 0
        run = rng.randrange(1, 16)
        kind = rng.randrange(6)
        if kind == 0 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and data:
            data[at] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
        elif kind == 2 and len(data) > 4:
            word = rng.choice([*NUMBERS, len(data), rng.getrandbits(32)]) % 2**32
            data[at & ~3 : (at & ~3) + 4] = word.to_bytes(4, "little")
        elif kind == 3:
            del data[at : at + rng.choice([run, 4 * run])]
        elif kind == 4:
            data[at:at] = rng.randbytes(run)
        else:
            data[at:at] = data[rng.randrange(len(data) + 1) :][: rng.choice([run, 8 * run])]
    return bytes(data[: rng.randrange(len(data) + 1)] if rng.random() < 0.05 else data)


def spliced(blob: bytes, other: bytes, rng: random.Random) -> bytes:
    """Put the end of another file, or a part of it, where this one's was."""
    at, there = rng.randrange(len(blob) + 1), rng.randrange(len(other) + 1)
    if rng.random() < 0.5:
        return blob[:at] + other[there:]
    part = other[there : there + rng.randrange(1, 256)]
    return blob[:at] + part + blob[at + len(part) :]


# --- TFLite ---------------------------------------------------------------------------------------

_TYPES = {value: name.lower() for value, name in enum_names(tflite.TensorType).items()}
_OPERATORS = enum_names(tflite.BuiltinOperator)
_COMPUTED = ("int8", "int8", "int16", "float32", "int32", "int64", "bool", "uint8", "uint32")

Ends = list[int]


class Parts:
    """A TFLite model of one subgraph, taken apart."""

    def __init__(self, blob: bytes) -> None:
        model = tflite.Model.GetRootAs(blob, 0)
        graph = model.Subgraphs(0)
        self.tensors = [_tensor(model, graph.Tensors(i)) for i in range(graph.TensorsLength())]
        self.operators = [
            _operator(model, graph.Operators(i)) for i in range(graph.OperatorsLength())
        ]
        self.inputs: Ends = graph.InputsAsNumpy().tolist()
        self.outputs: Ends = graph.OutputsAsNumpy().tolist()

    def written(self) -> bytes:
        return build_model(self.tensors, self.operators, self.inputs, self.outputs)


def _tensor(model: Any, table: Any) -> TensorSpec:
    quant, buffer = table.Quantization(), model.Buffers(table.Buffer())
    has_quant = quant is not None and quant.ScaleLength()
    return TensorSpec(
        tuple(table.ShapeAsNumpy().tolist()) if table.ShapeLength() else (),
        _TYPES[table.Type()],
        tuple(quant.ScaleAsNumpy().tolist()) if has_quant else (),
        tuple(quant.ZeroPointAsNumpy().tolist()) if has_quant and quant.ZeroPointLength() else (),
        quant.QuantizedDimension() if has_quant else 0,
        buffer.DataAsNumpy().tobytes() if table.Buffer() and buffer.DataLength() else None,
        table.Name() or b"",
        tuple(table.ShapeSignatureAsNumpy().tolist()) if table.ShapeSignatureLength() else (),
        table.IsVariable(),
    )


def _operator(model: Any, table: Any) -> OperatorSpec:
    code = model.OperatorCodes(table.OpcodeIndex())
    name = _OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
    inputs, outputs = table.InputsAsNumpy().tolist(), table.OutputsAsNumpy().tolist()
    if name == "CUSTOM":
        name = f"CUSTOM:{code.CustomCode().decode()}"
        return OperatorSpec(name, inputs, outputs, dict(read_custom_options(table)))
    options = {
        field: value.decode() if isinstance(value, bytes) else value
        for field, value in read_options(table).items()
        if isinstance(value, (bytes, str, int, float)) and not field.endswith(("Length", "IsNone"))
    }
    return OperatorSpec(name, inputs, outputs, options)


def _resized(tensor: TensorSpec, **changes: Any) -> TensorSpec:
    """Return a tensor of another shape or type with as much data as that needs."""
    new = replace(tensor, **changes)
    if new.data is None:
        return new
    size = math.prod(new.shape) * np.dtype(new.dtype.replace("resource", "int32")).itemsize
    if not 0 < size < 2**20:
        return new
    raw = new.data if isinstance(new.data, bytes) else new.data.tobytes()
    return replace(new, data=np.resize(np.frombuffer(raw, np.uint8), size).tobytes())


def _dimension(parts: Parts, rng: random.Random) -> None:
    at = rng.randrange(len(parts.tensors))
    shape = list(parts.tensors[at].shape)
    kind = rng.randrange(5)
    if kind == 0 or not shape:
        shape.insert(rng.randrange(len(shape) + 1), rng.choice([1, 1, rng.choice(NUMBERS)]))
    elif kind == 1:
        del shape[rng.randrange(len(shape))]
    elif kind == 2:
        rng.shuffle(shape)
    else:
        shape[rng.randrange(len(shape))] = rng.choice(NUMBERS)
    new = replace(parts.tensors[at], shape=tuple(shape))
    parts.tensors[at] = _resized(new) if rng.random() < 0.5 else new


def _dimension_everywhere(parts: Parts, rng: random.Random) -> None:
    sizes = sorted({size for tensor in parts.tensors for size in tensor.shape})
    if not sizes:
        return
    old, new = rng.choice(sizes), rng.choice(NUMBERS)
    for at, tensor in enumerate(parts.tensors):
        if old in tensor.shape:
            shape = tuple(new if size == old else size for size in tensor.shape)
            parts.tensors[at] = _resized(tensor, shape=shape)


def _rank_everywhere(parts: Parts, rng: random.Random) -> None:
    at, keep = rng.choice([0, 0, 1, 2]), rng.random() < 0.5
    for index, tensor in enumerate(parts.tensors):
        if tensor.data is None or keep:
            shape = list(tensor.shape)
            shape[at:at] = [1] * rng.choice([1, 1, 1, 2])
            parts.tensors[index] = _resized(tensor, shape=tuple(shape))


def _type(parts: Parts, rng: random.Random) -> None:
    at = rng.randrange(len(parts.tensors))
    dtype = rng.choice(_COMPUTED)
    parts.tensors[at] = _resized(parts.tensors[at], dtype=dtype)


def _type_everywhere(parts: Parts, rng: random.Random) -> None:
    old = rng.choice(parts.tensors).dtype
    new = rng.choice(_COMPUTED)
    for at, tensor in enumerate(parts.tensors):
        if tensor.dtype == old and (tensor.data is None or rng.random() < 0.5):
            zero_points = tensor.zero_points if rng.random() < 0.5 else (0,) * len(tensor.scales)
            parts.tensors[at] = _resized(tensor, dtype=new, zero_points=zero_points)


def _quantization(parts: Parts, rng: random.Random) -> None:
    at = rng.randrange(len(parts.tensors))
    tensor = parts.tensors[at]
    kind = rng.randrange(6)
    count = max(1, len(tensor.scales))
    scales = tensor.scales or (rng.choice([0.5, *REALS]),)
    zeros = tensor.zero_points or (0,)
    if kind == 0:
        scales, zeros = (), ()
    elif kind == 1:
        scales = tuple(rng.choice(REALS) for _ in range(count))
    elif kind == 2:
        scales = (2.0 ** rng.randrange(-140, 127),) * count
    elif kind == 3:
        zeros = (rng.choice([-128, 127, -1, 1, 255, -32768, *NUMBERS]),) * count
    elif kind == 4:
        count = rng.choice([1, 2, 3, *(size for size in tensor.shape if 0 < size < 1000)])
        scales, zeros = (scales * count)[:count], (zeros * count)[:count]
    axis = rng.choice([tensor.axis, tensor.axis, -1, 0, 1, 3, 100])
    parts.tensors[at] = replace(tensor, scales=scales, zero_points=zeros, axis=axis)


def _data(parts: Parts, rng: random.Random) -> None:
    constants = [at for at, tensor in enumerate(parts.tensors) if tensor.data is not None]
    at = rng.choice(constants or range(len(parts.tensors)))
    tensor = parts.tensors[at]
    raw = bytearray(tensor.data if isinstance(tensor.data, bytes) else b"")
    kind = rng.randrange(5)
    if kind == 0:
        new = rng.randbytes(len(raw))
    elif kind == 1:
        new = rng.choice([b"\0", b"\x7f", b"\x80", b"\xff"]) * len(raw)
    elif tensor.dtype in ("int32", "int64") and raw and kind < 4:
        values = np.frombuffer(raw, tensor.dtype).copy()
        values[rng.randrange(len(values))] = rng.choice(NUMBERS)
        new = values.tobytes()
    elif tensor.dtype == "float32" and raw:
        floats = np.frombuffer(raw, "float32").copy()
        floats[rng.randrange(len(floats))] = rng.choice(REALS)
        new = floats.tobytes()
    else:
        new = bytes(raw[: rng.randrange(len(raw) + 1)])
    parts.tensors[at] = replace(tensor, data=new)


def _constness(parts: Parts, rng: random.Random) -> None:
    at = rng.randrange(len(parts.tensors))
    tensor = parts.tensors[at]
    if tensor.data is not None:
        parts.tensors[at] = replace(tensor, data=None)
        if rng.random() < 0.7:
            parts.inputs.append(at)
        return
    parts.tensors[at] = _resized(replace(tensor, data=b"\x01\0\x02"))
    if rng.random() < 0.7 and at in parts.inputs:
        parts.inputs.remove(at)


def _operator_kind(parts: Parts, rng: random.Random) -> None:
    at = rng.randrange(len(parts.operators))
    one = parts.operators[at]
    name = rng.choice([n for n in operator_names() if hasattr(tflite.BuiltinOperator, n)])
    options = {
        field: value
        for field, value in one.options.items()
        if name.startswith("CUSTOM:") or _has_field(name, field)
    }
    parts.operators[at] = one._replace(name=name, options=options)


def _has_field(name: str, field: str) -> bool:
    from tests.tflite_models import _option_table

    table = _option_table(name)
    return bool(table) and hasattr(tflite, f"{table}Add{field}")


def _wiring(parts: Parts, rng: random.Random) -> None:
    at = rng.randrange(len(parts.operators))
    one = parts.operators[at]
    ends = [list(one.inputs), list(one.outputs)]
    lists = [ends[0], ends[0], ends[0], ends[1], parts.inputs, parts.outputs]
    wired = rng.choice(lists)
    index = rng.choice([-1, rng.randrange(-1, len(parts.tensors) + 1), len(parts.tensors) - 1])
    kind = rng.randrange(4)
    if kind == 0 and wired:
        wired[rng.randrange(len(wired))] = index
    elif kind == 1:
        wired.append(index)
    elif kind == 2 and wired:
        del wired[rng.randrange(len(wired))]
    else:
        rng.shuffle(wired)
    parts.operators[at] = one._replace(inputs=ends[0], outputs=ends[1])


def _option(parts: Parts, rng: random.Random) -> None:
    at = rng.randrange(len(parts.operators))
    one = parts.operators[at]
    if not one.options:
        return
    field = rng.choice(sorted(one.options))
    value: Any = one.options[field]
    if field == "Padding":
        value = rng.choice(["SAME", "VALID"])
    elif field == "FusedActivationFunction":
        value = rng.choice(["NONE", "RELU", "RELU6", "RELU_N1_TO_1", "TANH", "SIGN_BIT"])
    elif isinstance(value, bool):
        value = not value
    elif isinstance(value, int):
        value = rng.choice(NUMBERS)
    elif isinstance(value, float):
        value = rng.choice(REALS)
    parts.operators[at] = one._replace(options={**one.options, field: value})


#: Operators that passes look for behind and before others.
_BEHIND = ("RELU", "RELU6", "RELU_N1_TO_1", "ADD", "MUL", "TRANSPOSE", "RESHAPE", "PAD", "MEAN",
           "CONCATENATION", "QUANTIZE", "CONV_2D", "FULLY_CONNECTED", "SQUEEZE", "LOGISTIC",
           "AVERAGE_POOL_2D", "SPLIT", "SHAPE", "STRIDED_SLICE", "SOFTMAX")  # fmt: skip


def _behind(parts: Parts, rng: random.Random) -> None:
    """Add an operator that reads what is there; the result becomes an output."""
    source = rng.choice([*parts.outputs, rng.randrange(len(parts.tensors))])
    if not 0 <= source < len(parts.tensors):
        return
    x = parts.tensors[source]
    rank, count = len(x.shape), len(parts.tensors)
    out = replace(x, data=None, is_variable=False)
    name = rng.choice(_BEHIND)
    inputs, extra = [source], None
    options: dict[str, Any] = {}
    order = rng.sample(range(rank), rank)
    if name == "TRANSPOSE":
        extra = np.array(order, np.int32)
        out = replace(out, shape=tuple(x.shape[axis] for axis in order))
    elif name == "RESHAPE":
        out = replace(
            out, shape=rng.choice([(1, math.prod(x.shape)), x.shape[::-1], (1, *x.shape)])
        )
        extra = np.array(out.shape, np.int64).astype(np.int32)
    elif name == "PAD":
        amounts = np.array([[rng.choice([0, 0, 1, 2]) for _ in "ab"] for _ in x.shape], np.int32)
        extra = amounts.reshape(-1, 2)
        out = replace(out, shape=tuple((np.array(x.shape) + extra.sum(axis=1)).tolist()))
    elif name == "MEAN" and rank > 1:
        axes = order[: rng.randrange(1, rank)]
        extra, options = np.array(axes, np.int32), {"KeepDims": True}
        out = replace(out, shape=tuple(1 if i in axes else s for i, s in enumerate(x.shape)))
    elif name in ("ADD", "MUL"):
        shape = rng.choice([(1,), x.shape[-1:], x.shape, (1, *x.shape[-1:])])
        spec = replace(x, shape=shape, is_variable=False, data=b"\x01\0\x80\x3f")
        parts.tensors.append(_resized(spec))
        inputs = [source, count]
    elif name == "CONCATENATION" and rank:
        axis = rng.randrange(rank)
        inputs, options = [source, source], {"Axis": axis}
        sizes = tuple(2 * s if i == axis else s for i, s in enumerate(x.shape))
        out = replace(out, shape=sizes)
    if extra is not None:
        parts.tensors.append(TensorSpec(extra.shape, extra.dtype.name, data=extra))
        inputs = [source, count]
    parts.tensors.append(out)
    made = len(parts.tensors) - 1
    parts.operators.append(OperatorSpec(name, inputs, [made], options))
    if source in parts.outputs and rng.random() < 0.8:
        parts.outputs[parts.outputs.index(source)] = made
    else:
        parts.outputs.append(made)


def _flags(parts: Parts, rng: random.Random) -> None:
    at = rng.randrange(len(parts.tensors))
    if rng.random() < 0.5:
        parts.tensors[at] = replace(
            parts.tensors[at], is_variable=not parts.tensors[at].is_variable
        )
    else:
        signature = tuple(rng.choice([-1, size]) for size in parts.tensors[at].shape)
        parts.tensors[at] = replace(parts.tensors[at], signature=signature)


TFLITE_CHANGES: tuple[Callable[[Parts, random.Random], None], ...] = (
    *(_dimension, _dimension_everywhere, _dimension_everywhere, _rank_everywhere),
    *(_type, _type_everywhere, _quantization, _quantization, _data, _data, _constness),
    *(_operator_kind, _wiring, _option, _option, _behind, _behind, _behind, _flags),
)


def rewritten(blob: bytes, rng: random.Random) -> bytes:
    """Change a TFLite model and write it anew; what cannot be written is damaged instead."""
    try:
        parts = Parts(blob)
        for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 5])):
            rng.choice(TFLITE_CHANGES)(parts, rng)
        return parts.written()
    except (TypeError, OverflowError, ValueError, AttributeError, IndexError, KeyError):
        return damaged(blob, rng)


def tflite_case(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a case for the TFLite reader."""
    blob = rng.choice(seeds)
    kind = rng.randrange(10)
    if kind < 2:
        return damaged(blob, rng)
    return spliced(blob, rng.choice(seeds), rng) if kind == 2 else rewritten(blob, rng)


# --- ONNX -----------------------------------------------------------------------------------------

LONGS = (-(2**63), 2**40, 2**62, 2**63 - 1, *NUMBERS)


def altered(blob: bytes, rng: random.Random) -> bytes:
    """Change an ONNX model and write it anew."""
    import onnx

    from tinysim.compiler.readers.onnx.evaluate import EVALUATORS
    from tinysim.compiler.readers.onnx.registry import READERS

    model = onnx.ModelProto.FromString(blob)
    graph = model.graph
    kinds = [kind for _, kind in READERS] + list(EVALUATORS)
    names = [name for one in graph.node for name in (*one.input, *one.output)] + [""]
    for _ in range(rng.choice([1, 1, 2, 4])):
        one = rng.choice(graph.node)
        kind = rng.randrange(11)
        if kind == 0:
            one.op_type = rng.choice(kinds)
        elif kind == 1 and one.input:
            one.input[rng.randrange(len(one.input))] = rng.choice(names)
        elif kind == 2:
            one.input.append(rng.choice(names))
        elif kind == 3 and graph.initializer:
            tensor = rng.choice(graph.initializer)
            if tensor.dims:
                tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(LONGS)
            else:
                tensor.dims.append(rng.choice(LONGS))
        elif kind == 4 and graph.initializer:
            tensor = rng.choice(graph.initializer)
            tensor.raw_data = rng.randbytes(len(tensor.raw_data))
        elif kind == 5 and graph.initializer:
            rng.choice(graph.initializer).data_type = rng.randrange(1, 12)
        elif kind == 6 and one.attribute:
            attribute = rng.choice(one.attribute)
            attribute.i, attribute.f = rng.choice(LONGS), rng.choice(REALS)
            if attribute.ints:
                attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(LONGS)
        elif kind == 7 and graph.initializer:
            _element(rng.choice(graph.initializer), rng)
        elif kind == 8:
            _add_node(graph, rng.choice(kinds), rng)
        elif kind == 9:
            model.opset_import[0].version = rng.randrange(7, 22)
        elif graph.input and graph.input[0].type.tensor_type.shape.dim:
            dim = rng.choice(graph.input[0].type.tensor_type.shape.dim)
            dim.dim_value = rng.choice(LONGS)
    return bytes(model.SerializeToString())


def _element(tensor: Any, rng: random.Random) -> None:
    """Change one number of a constant."""
    from onnx import helper

    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
    except KeyError:
        return
    if tensor.raw_data and dtype.kind in "iuf" and len(tensor.raw_data) % dtype.itemsize == 0:
        values = np.frombuffer(tensor.raw_data, dtype).copy()
        chosen = rng.choice(REALS) if dtype.kind == "f" else rng.choice(LONGS)
        with np.errstate(all="ignore"):
            wrapped = np.array(chosen).astype(dtype)
        values[rng.randrange(len(values))] = wrapped
        tensor.raw_data = values.tobytes()


def _add_node(graph: Any, kind: str, rng: random.Random) -> None:
    """Put a node behind the last one, and its result in the output's place."""
    last, out = graph.node[-1], graph.output[0]
    if out.name not in last.output:
        return
    place = list(last.output).index(out.name)
    last.output[place] = f"{out.name}_{len(graph.node)}"
    inner = last.output[place]
    added = graph.node.add()
    added.op_type = kind
    added.input.append(inner)
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        if graph.initializer:
            added.input.append(rng.choice(graph.initializer).name)
    added.output.append(out.name)


def onnx_case(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a case for the ONNX reader."""
    blob = rng.choice(seeds)
    kind = rng.randrange(10)
    if kind < 2:
        return damaged(blob, rng)
    return spliced(blob, rng.choice(seeds), rng) if kind == 2 else altered(blob, rng)


# --- a long run -----------------------------------------------------------------------------------

CASES = {"tflite": tflite_case, "onnx": onnx_case}
CHUNK = 250


class _Late(BaseException):
    """A case took too long."""


def _late(signum: int, frame: Any) -> None:
    raise _Late


def _chunk(job: tuple[str, int, tuple[str, ...]]) -> tuple[int, int, float, int, list[str]]:
    """Run one chunk of cases; return cases, accepted ones, slowest, peak memory and findings."""
    suffix, start, folders = job
    seeds = seeds_in(suffix, folders)
    # Stand-ins for large tensors take addresses, which cost nothing; what is touched is counted.
    resource.setrlimit(resource.RLIMIT_AS, (8 * MAX_BYTES, 8 * MAX_BYTES))
    signal.signal(signal.SIGALRM, _late)
    taken, slowest, peak, findings = 0, 0.0, 0, []
    for index in range(start, start + CHUNK):
        rng = random.Random(f"{suffix} {index}")
        blob = CASES[suffix](seeds, rng)
        begun = time.process_time()
        signal.setitimer(signal.ITIMER_REAL, 6 * MAX_SECONDS)
        try:
            taken += accepted(blob, suffix)
        except (Exception, _Late):
            findings.append(f"{suffix} {index}: {traceback.format_exc()}")
            Path(f"finding-{index}.{suffix}").write_bytes(blob)
        signal.setitimer(signal.ITIMER_REAL, 0)
        took = time.process_time() - begun
        slowest = max(slowest, took)
        if took > MAX_SECONDS:
            findings.append(f"{suffix} {index}: took {took:.1f} s")
            Path(f"slow-{index}.{suffix}").write_bytes(blob)
        before, peak = peak, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if peak > MAX_BYTES > before:
            findings.append(f"{suffix} {index}: took {peak:,} bytes")
            Path(f"large-{index}.{suffix}").write_bytes(blob)
    return CHUNK, taken, slowest, peak, findings


def seeds_in(suffix: str, folders: Sequence[str], most_bytes: int = 400_000) -> list[bytes]:
    """Return the models of some folders, small ones as often as all others together."""
    paths = sorted(path for folder in folders for path in Path(folder).glob(f"*.{suffix}"))
    return [path.read_bytes() for path in paths if path.stat().st_size < most_bytes]


def main(suffix: str, count: str, *folders: str) -> None:
    os.nice(10)
    warnings.simplefilter("error")
    importlib.import_module(f"tinysim.compiler.readers.{suffix}")  # once, not in every process
    begin = int(os.environ.get("TINYSIM_FUZZ_BEGIN", "0"))
    jobs = [(suffix, start, folders) for start in range(begin, begin + int(count), CHUNK)]
    done, taken, slowest, peak, findings = 0, 0, 0.0, 0, 0
    with Pool(int(os.environ.get("TINYSIM_FUZZ_PROCESSES", "2")), maxtasksperchild=1) as pool:
        for cases, accepted_cases, took, bytes_, found in pool.imap_unordered(_chunk, jobs):
            done, taken = done + cases, taken + accepted_cases
            slowest, peak, findings = max(slowest, took), max(peak, bytes_), findings + len(found)
            print(*found, sep="\n", end="", flush=True)
            print(
                f"{done} cases, {taken} accepted, slowest {slowest:.1f} s, "
                f"peak {peak / 2**20:.0f} MiB, {findings} findings",
                file=sys.stderr,
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
