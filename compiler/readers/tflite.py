"""TFLite -> Graph. The file is untrusted: every length and index is checked before it is used."""

from __future__ import annotations

import difflib
import inspect
import struct
from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np
import tflite

from tinysim.compiler.graph import MAX_TENSOR_BYTES, DType, Graph, Node, Quant, Tensor, defects
from tinysim.compiler.ops import Operator, Options, operator_class, operator_names
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

_DTYPES = {
    tflite.TensorType.INT8: DType.INT8,
    tflite.TensorType.UINT8: DType.UINT8,
    tflite.TensorType.INT16: DType.INT16,
    tflite.TensorType.INT32: DType.INT32,
    tflite.TensorType.UINT32: DType.UINT32,
    tflite.TensorType.INT64: DType.INT64,
    tflite.TensorType.FLOAT32: DType.FLOAT32,
    tflite.TensorType.BOOL: DType.BOOL,
}


def _enum_names(enum: type) -> dict[int, str]:
    """Return the names of a generated enumeration by value."""
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


_OPERATORS = _enum_names(tflite.BuiltinOperator)
_OPTION_TABLES = _enum_names(tflite.BuiltinOptions)
_TYPE_NAMES = _enum_names(tflite.TensorType)
#: Option fields that are enumerations: shown to the operators by name.
_OPTION_ENUMS = {
    "Padding": _enum_names(tflite.Padding),
    "FusedActivationFunction": _enum_names(tflite.ActivationFunctionType),
    "Mode": _enum_names(tflite.MirrorPadMode),
}

#: No operator here takes more dimensions.
MAX_RANK = 8

_FIX_FILE = "export the model again; the file may be cut off or damaged"


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
            fix=_FIX_FILE,
        ) from error
    if problems := list(defects(graph)):
        raise ModelError("; ".join(problems[:5]), where=where, fix=_FIX_FILE)
    return graph


class _Reader:
    """The tables of one file, and what is wrong with them."""

    def __init__(self, blob: bytes, where: str) -> None:
        self.blob, self.where = blob, where
        if len(blob) < 8 or not tflite.Model.ModelBufferHasIdentifier(blob, 0):
            raise ModelError("not a TFLite file (no TFL3 mark)", where=where, fix=_FIX_FILE)
        self.model = tflite.Model.GetRootAs(blob, 0)
        self.problems: list[str] = []
        self.unsupported: list[str] = []
        # A small file may refer to one large vector thousands of times.
        self._budget = 16 * len(blob) + 1_000_000

    def graph(self, name: str, sha256: str) -> Graph:
        """Read everything, then complain of everything at once."""
        if (count := self._length(self.model.SubgraphsLength())) != 1:
            raise ModelError(
                f"holds {count} subgraphs",
                where=self.where,
                fix="export a model without control flow: one subgraph is compiled",
            )
        subgraph = self.model.Subgraphs(0)
        tensors = [
            self._tensor(subgraph.Tensors(i), i) for i in self._range(subgraph.TensorsLength())
        ]
        pick = self._picker(tensors)
        nodes = tuple(
            node
            for i in self._range(subgraph.OperatorsLength())
            if (node := self._node(subgraph.Operators(i), i, pick)) is not None
        )
        inputs = self._ends("input", subgraph.InputsAsNumpy(), pick)
        outputs = self._ends("output", subgraph.OutputsAsNumpy(), pick)
        self._complain()
        return Graph(name, sha256, nodes, inputs, outputs)

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
            raise ModelError("; ".join(self.problems[:20]), where=self.where, fix=_FIX_FILE)

    def _length(self, length: int) -> int:
        """Return a vector's length, unless the file is too short to hold it."""
        if not 0 <= length <= len(self.blob):
            raise ValueError(f"a vector of {length} elements in {len(self.blob)} bytes")
        return length

    def _charge(self, length: int) -> None:
        """Count what is read, so that a file cannot cost more than its size allows."""
        self._budget -= self._length(length)
        if self._budget < 0:
            raise ValueError("the file lists the same data again and again")

    def _range(self, length: int) -> range:
        return range(self._length(length))

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

    def _tensor(self, table: Any, index: int) -> Tensor:
        """Read a tensor; what the compiler cannot take becomes a problem."""
        name = self._text(table.Name())
        label = f"tensor {index} ({name})"
        if (rank := max(table.ShapeLength(), table.ShapeSignatureLength())) > MAX_RANK:
            self.problems.append(f"{label} has {rank:,} dimensions")
            return Tensor(index, name, (1,), DType.INT8)
        signature = self._ints(table.ShapeSignatureAsNumpy())
        shape = self._ints(table.ShapeAsNumpy())
        if _is_dynamic(signature, shape):
            self.problems.append(
                f"{label} has the dynamic shape {list(signature or shape)}: fix every dimension"
            )
            shape = tuple(max(1, size) for size in shape)
        if (dtype := _DTYPES.get(table.Type())) is None:
            kind = _TYPE_NAMES.get(table.Type(), str(table.Type()))
            self.problems.append(f"{label} is of type {kind}, which nothing here computes")
            dtype = DType.INT8
        size_bytes = prod(shape) * dtype.itemsize
        if size_bytes > MAX_TENSOR_BYTES:
            self.problems.append(f"{label} of shape {list(shape)} is too large")
            return Tensor(index, name, (1,), dtype)
        quant = self._quant(table.Quantization(), dtype, label)
        data = self._data(table.Buffer(), dtype, shape, label)
        return Tensor(index, name, shape, dtype, quant, data)

    def _text(self, raw: bytes | None) -> str:
        """Make a name from the file fit to be shown: printable, short."""
        self._charge(len(raw or b""))
        text = (raw or b"").decode("utf-8", "replace")
        shown = "".join(char if char.isprintable() else "?" for char in text)
        return shown if len(shown) <= 80 else shown[:77] + "..."

    def _ints(self, vector: Any) -> tuple[int, ...]:
        """Return a vector of integers; an absent one reads as 0."""
        if isinstance(vector, int):
            return ()
        self._charge(len(vector))
        return tuple(int(value) for value in vector)

    def _quant(self, table: Any, dtype: DType, label: str) -> Quant | None:
        """Read affine quantization, if the tensor has any."""
        if table is None or dtype is DType.FLOAT32 or not table.ScaleLength():
            return None
        self._charge(table.ScaleLength())
        scale = tuple(float(value) for value in table.ScaleAsNumpy())
        zero_point = self._ints(table.ZeroPointAsNumpy()) or (0,) * len(scale)
        if len(zero_point) != len(scale) or not all(np.isfinite(s) and s > 0 for s in scale):
            self.problems.append(f"{label} has quantization that means nothing")
            return None
        limits = np.iinfo(dtype.value) if dtype is not DType.BOOL else None
        if limits and any(not limits.min <= zero <= limits.max for zero in zero_point):
            self.problems.append(f"{label} has a zero point outside {dtype.value}")
            return None
        return Quant(scale, zero_point, int(table.QuantizedDimension()))

    def _data(self, buffer: int, dtype: DType, shape: tuple[int, ...], label: str) -> Any:
        """Return a constant's values, or None for what is computed at run time."""
        if not 0 <= buffer < self._length(self.model.BuffersLength()):
            raise IndexError(f"{label}: buffer {buffer}")
        table = self.model.Buffers(buffer)
        if buffer == 0 or not table.DataLength():
            return None
        raw = table.DataAsNumpy()
        self._charge(len(raw))
        if len(raw) != prod(shape) * dtype.itemsize:
            self.problems.append(
                f"{label} of shape {list(shape)} has {len(raw)} bytes of data, "
                f"expected {prod(shape) * dtype.itemsize}"
            )
            return None
        return np.frombuffer(raw.tobytes(), np.dtype(dtype.value).newbyteorder("<")).reshape(shape)

    def _node(self, table: Any, index: int, pick: Callable[[int], Tensor | None]) -> Node | None:
        """Read an operator and let it check its tensors."""
        kind = self._operator_name(table.OpcodeIndex())
        inputs = tuple(pick(i) for i in self._ints(table.InputsAsNumpy()))
        outputs = tuple(pick(i) for i in self._ints(table.OutputsAsNumpy()))
        written = tuple(tensor for tensor in outputs if tensor is not None)
        if not inputs or not written or any(tensor.data is not None for tensor in written):
            raise ValueError(f"operator {index} ({kind}) lacks inputs or outputs")
        label = f"layer {index} ({kind}, {written[0].name})"
        if (cls := operator_class(kind)) is None:
            near = difflib.get_close_matches(kind, operator_names(), n=2, cutoff=0.6)
            hint = f" (near: {', '.join(near)})" if near else ""
            self.unsupported.append(f"{label}: operator {kind} is not supported{hint}")
            return None
        op: Operator = cls.from_tflite(_options(table))
        found = list(_problems(op, inputs, written))
        self.unsupported += [f"{label}: {problem}" for problem in found]
        return None if found else Node(written[0].name, op, inputs, written)

    def _operator_name(self, index: int) -> str:
        """Return the name of an operator code; old files use the narrow field."""
        if not 0 <= index < self._length(self.model.OperatorCodesLength()):
            raise IndexError(f"operator code {index}")
        code = self.model.OperatorCodes(index)
        value = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if value == tflite.BuiltinOperator.CUSTOM:
            return f"CUSTOM:{self._text(code.CustomCode())}"
        return _OPERATORS.get(value, f"operator code {value}")


def _is_dynamic(signature: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Tell whether a shape is open; a batch that is exported as 1 counts as 1."""
    if any(size <= 0 for size in shape):
        return True
    is_batch = signature[:1] == (-1,) and shape[:1] == (1,) and signature[1:] == shape[1:]
    return any(size < 0 for size in signature) and not is_batch


def _problems(op: Operator, inputs: tuple[Tensor | None, ...], outputs: Any) -> Iterator[str]:
    """Yield what an operator finds wrong, and values no kernel was ever meant for."""
    for field in ("stride_h", "stride_w", "dilation_h", "dilation_w", "filter_h", "filter_w"):
        if getattr(op, field, 1) < 1:
            yield f"{field} is {getattr(op, field)}"
            return
    activation = getattr(op, "activation", "NONE")
    if activation not in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"):
        yield f"fused activation {activation} has no kernel"
        return
    yield from op.problems(inputs, outputs)


def _options(table: Any) -> Options:
    """Return an operator's options as plain values by field name; enumerations by name.

    An absent table reads as one whose fields all have their defaults.
    """
    kind = _OPTION_TABLES.get(table.BuiltinOptionsType(), "NONE")
    if kind == "NONE" or (union := table.BuiltinOptions()) is None:
        return _Defaults()
    options = getattr(tflite, kind)()
    options.Init(union.Bytes, union.Pos)
    values: dict[str, Any] = {}
    for field, method in inspect.getmembers(type(options), inspect.isfunction):
        if field == "Init" or method.__code__.co_argcount != 1:
            continue
        value = method(options)
        names = _OPTION_ENUMS.get(field)
        values[field] = names.get(value, f"{field} {value}") if names else value
    return values


class _Defaults(dict[str, Any]):
    """Options of an operator that came without any: everything at TFLite's default."""

    _VALUES = {"FusedActivationFunction": "NONE", "Padding": "SAME", "Beta": 0.0}

    def __missing__(self, key: str) -> Any:
        return self._VALUES.get(key, 0)
