"""Tensors and operator codes of a TFLite file: lengths and indices are checked before use."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import tflite
from flatbuffers.number_types import Int32Flags

from tinysim.compiler.graph import MAX_TENSOR_BYTES, DType, Quant, Tensor
from tinysim.compiler.readers._tflite_options import enum_names
from tinysim.errors import ModelError

_DTYPES = {
    tflite.TensorType.INT8: DType.INT8,
    tflite.TensorType.UINT8: DType.UINT8,
    tflite.TensorType.UINT64: DType.UINT64,
    tflite.TensorType.INT16: DType.INT16,
    tflite.TensorType.INT32: DType.INT32,
    tflite.TensorType.UINT32: DType.UINT32,
    tflite.TensorType.INT64: DType.INT64,
    tflite.TensorType.FLOAT32: DType.FLOAT32,
    tflite.TensorType.BOOL: DType.BOOL,
    # The handle of a resource variable: TFLM keeps a number there, nothing here reads it.
    tflite.TensorType.RESOURCE: DType.INT32,
}

_TYPE_NAMES = enum_names(tflite.TensorType)
_OPERATORS = enum_names(tflite.BuiltinOperator)

#: No operator here takes more dimensions.
MAX_RANK = 8

FIX_FILE = "export the model again; the file may be cut off or damaged"


class Tables:
    """The bytes of one file, and what is wrong with them."""

    def __init__(self, blob: bytes, where: str) -> None:
        self.blob, self.where = blob, where
        if len(blob) < 8 or not tflite.Model.ModelBufferHasIdentifier(blob, 0):
            raise ModelError("not a TFLite file (no TFL3 mark)", where=where, fix=FIX_FILE)
        self.model = tflite.Model.GetRootAs(blob, 0)
        self.problems: list[str] = []
        # A small file may refer to one large vector thousands of times.
        self._budget = 16 * len(blob) + 1_000_000

    def length(self, length: int) -> int:
        """Return a vector's length, unless the file is too short to hold it."""
        if not 0 <= length <= len(self.blob):
            raise ValueError(f"a vector of {length} elements in {len(self.blob)} bytes")
        return length

    def charge(self, length: int) -> None:
        """Count what is read, so that a file cannot cost more than its size allows."""
        self._budget -= self.length(length)
        if self._budget < 0:
            raise ValueError("the file lists the same data again and again")

    def range(self, length: int) -> range:
        return range(self.length(length))

    def operator_name(self, index: int) -> str:
        """Return an operator code's name: it stands in a narrow field, a wide one or both."""
        if not 0 <= index < self.length(self.model.OperatorCodesLength()):
            raise IndexError(f"operator code {index}")
        code = self.model.OperatorCodes(index)
        value = max(_wide_code(code), code.DeprecatedBuiltinCode())
        if value == tflite.BuiltinOperator.CUSTOM:
            return f"CUSTOM:{self.text(code.CustomCode())}"
        return _OPERATORS.get(value, f"operator code {value}")

    def tensor(self, table: Any, index: int) -> Tensor:
        """Read a tensor; what the compiler cannot take becomes a problem."""
        name = self.text(table.Name())
        label = f"tensor {index} ({name})"
        if (rank := max(table.ShapeLength(), table.ShapeSignatureLength())) > MAX_RANK:
            self.problems.append(f"{label} has {rank:,} dimensions")
            return Tensor(index, name, (1,), DType.INT8)
        signature = self.ints(table.ShapeSignatureAsNumpy())
        shape = self.ints(table.ShapeAsNumpy())
        if _is_dynamic(signature, shape):
            self.problems.append(
                f"{label} has the dynamic shape {list(signature or shape)}: fix every dimension"
            )
            shape = tuple(max(1, size) for size in shape)
        is_half = table.Type() == tflite.TensorType.FLOAT16
        dtype = DType.FLOAT32 if is_half else _DTYPES.get(table.Type())
        if dtype is None:
            kind = _TYPE_NAMES.get(table.Type(), str(table.Type()))
            self.problems.append(f"{label} is of type {kind}, which nothing here computes")
            dtype = DType.INT8
        size_bytes = prod(shape) * dtype.itemsize
        if size_bytes > MAX_TENSOR_BYTES:
            self.problems.append(f"{label} of shape {list(shape)} is too large")
            return Tensor(index, name, (1,), dtype)
        quant = self._quant(table.Quantization(), dtype, label)
        data = self._data(table.Buffer(), "float16" if is_half else dtype.value, shape, label)
        if is_half and data is None:
            self.problems.append(
                f"{label} is of type FLOAT16, which nothing here computes, and no constant"
            )
        elif is_half:
            data = data.astype(np.float32)
        return Tensor(index, name, shape, dtype, quant, data)

    def is_half(self, index: int) -> bool:
        """Whether the file stores a tensor, which is read as float32, in half precision."""
        table = self.model.Subgraphs(0).Tensors(index)
        return bool(table.Type() == tflite.TensorType.FLOAT16)

    def text(self, raw: bytes | None) -> str:
        """Make a name from the file fit to be shown: printable, short."""
        self.charge(len(raw or b""))
        text = (raw or b"").decode("utf-8", "replace")
        shown = "".join(char if char.isprintable() else "?" for char in text)
        return shown if len(shown) <= 80 else shown[:77] + "..."

    def ints(self, vector: Any) -> tuple[int, ...]:
        """Return a vector of integers; an absent one reads as 0."""
        if isinstance(vector, int):
            return ()
        self.charge(len(vector))
        return tuple(int(value) for value in vector)

    def _quant(self, table: Any, dtype: DType, label: str) -> Quant | None:
        """Read affine quantization, if the tensor has any."""
        if table is None or dtype is DType.FLOAT32 or not table.ScaleLength():
            return None
        self.charge(table.ScaleLength())
        scale = tuple(float(value) for value in table.ScaleAsNumpy())
        zero_point = self.ints(table.ZeroPointAsNumpy()) or (0,) * len(scale)
        if len(zero_point) != len(scale) or not all(np.isfinite(s) and s > 0 for s in scale):
            self.problems.append(f"{label} has quantization that means nothing")
            return None
        limits = np.iinfo(dtype.value) if dtype is not DType.BOOL else None
        if limits and any(not limits.min <= zero <= limits.max for zero in zero_point):
            self.problems.append(f"{label} has a zero point outside {dtype.value}")
            return None
        return Quant(scale, zero_point, int(table.QuantizedDimension()))

    def _data(self, buffer: int, stored: str, shape: tuple[int, ...], label: str) -> Any:
        """Return a constant's values, or None for what is computed at run time."""
        if not 0 <= buffer < self.length(self.model.BuffersLength()):
            raise IndexError(f"{label}: buffer {buffer}")
        table = self.model.Buffers(buffer)
        if buffer == 0 or not table.DataLength():
            return None
        raw = table.DataAsNumpy()
        self.charge(len(raw))
        size_bytes = prod(shape) * np.dtype(stored).itemsize
        if len(raw) != size_bytes:
            self.problems.append(
                f"{label} of shape {list(shape)} has {len(raw)} bytes of data, "
                f"expected {size_bytes}"
            )
            return None
        return np.frombuffer(raw.tobytes(), np.dtype(stored).newbyteorder("<")).reshape(shape)


def _is_dynamic(signature: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Tell whether a shape is open; a batch that is exported as 1 counts as 1."""
    if any(size <= 0 for size in shape):
        return True
    is_batch = signature[:1] == (-1,) and shape[:1] == (1,) and signature[1:] == shape[1:]
    return any(size < 0 for size in signature) and not is_batch


def _wide_code(code: Any) -> int:
    """Return the wide field as it is: its accessor answers with the narrow one for small codes."""
    place = code._tab.Offset(10)
    return int(code._tab.Get(Int32Flags, code._tab.Pos + place)) if place else 0
