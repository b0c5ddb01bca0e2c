"""What a function that reads an ONNX operator sees: its node, its inputs, the graph to build."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from tinysim.compiler.graph import Array, DType, Quant, Tensor
from tinysim.compiler.readers.onnx.source import Refusal, SourceNode, shown

if TYPE_CHECKING:
    from tinysim.compiler.readers.onnx.builder import Builder


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor; ``unsigned`` if the file has bytes without a sign, 128 more than the tensor."""

    tensor: Tensor
    unsigned: bool = False


@dataclass(frozen=True, eq=False)
class Layer:
    """One node of the file."""

    builder: Builder
    node: SourceNode

    @property
    def opset(self) -> int:
        """The version of the standard operators."""
        return self.builder.opset

    def has(self, index: int) -> bool:
        """Tell whether an optional input is there."""
        return index < len(self.node.inputs) and bool(self.node.inputs[index])

    def value(self, index: int) -> Value:
        """Return an input as it stands."""
        if not self.has(index):
            raise Refusal(f"input {index} is missing")
        return self.builder.values[self.node.inputs[index]]

    def x(self, index: int = 0) -> Tensor:
        """Return an input for a kernel: bytes have a sign."""
        tensor = self.value(index).tensor
        if tensor.data is None:
            return tensor
        if tensor.data.dtype == np.float64:
            raise Refusal("a constant of type float64, which nothing here computes")
        return (
            replace(tensor, dtype=DType.INT8, data=as_int8(tensor.data))
            if (tensor.dtype is DType.UINT8)
            else tensor
        )

    def is_constant(self, index: int) -> bool:
        """Tell whether an input is known at read time."""
        return self.value(index).tensor.data is not None

    def array(self, index: int) -> Array:
        """Return a constant input."""
        data = self.value(index).tensor.data
        if data is None:
            name = shown(self.node.inputs[index])
            raise Refusal(f"input {index} ({name}) is computed at run time, it must be a constant")
        return data

    def ints_of(self, index: int) -> tuple[int, ...]:
        """Return a constant input of integers as a list."""
        array = self.array(index)
        if array.dtype.kind not in "iu" or array.size > 64:
            raise Refusal(f"input {index} is no short list of integers")
        return tuple(int(value) for value in array.ravel())

    def scalar(self, index: int, default: float) -> float:
        """Return an optional constant input of one number."""
        return float(self.array(index).reshape(())) if self.has(index) else default

    def attribute(self, name: str, default: Any) -> Any:
        """Return an attribute, of the type of ``default``."""
        found = self.node.attributes.get(name, default)
        kind = type(default)
        if isinstance(found, tuple) != (kind is tuple) or (
            kind is not tuple
            and default is not None
            and not isinstance(found, (int, float) if kind is float else kind)
        ):
            raise Refusal(f"attribute {name} is not a {kind.__name__}")
        if isinstance(found, float) and not np.isfinite(found):
            raise Refusal(f"attribute {name} is {found}")
        return found

    def ints(self, name: str, default: Sequence[int] = ()) -> tuple[int, ...]:
        """Return an attribute that lists integers."""
        found: tuple[int, ...] = self.attribute(name, tuple(default))
        if any(not isinstance(value, int) or abs(value) >= 2**31 for value in found):
            raise Refusal(f"attribute {name} holds {found[:8]}")
        return found

    def axis(self, name: str, default: int, rank: int) -> int:
        """Return an attribute that names an axis."""
        return axis_of(self.attribute(name, default), rank)

    def axes(self, index: int, rank: int) -> tuple[int, ...] | None:
        """Return axes from the attribute or, in newer sets, from an input."""
        if self.has(index):
            found = self.ints_of(index)
        elif "axes" in self.node.attributes:
            found = self.ints("axes")
        else:
            return None
        axes = tuple(axis_of(axis, rank) for axis in found)
        if len(set(axes)) != len(axes):
            raise Refusal(f"axes {list(found)} repeat")
        return axes

    def emit(
        self,
        kind: str,
        inputs: Sequence[Tensor | None],
        dims: Sequence[int],
        like: Tensor | None = None,
        *,
        dtype: DType | None = None,
        quant: Quant | None = None,
        **options: Any,
    ) -> Tensor:
        """Append a node; type and quantization are those of ``like``, by default of input 0."""
        model = like or inputs[0]
        assert model is not None
        out = self.builder.tensor(
            dims,
            dtype or model.dtype,
            (*self.node.outputs, "")[0],
            quant or (model.quant if dtype in (None, DType.INT8) else None),
        )
        return self.builder.add(self.node, kind, tuple(inputs), out, options)

    def constant(self, array: Any, dtype: str = "int32", quant: Quant | None = None) -> Tensor:
        """Return a constant made by the reader."""
        values = np.asarray(array)
        if dtype == "int32" and values.size and np.abs(values.astype(np.float64)).max() >= 2**31:
            raise Refusal("a number does not fit 32 bits")
        return self.builder.constant(values.astype(dtype), quant=quant)

    def transpose(self, x: Tensor, perm: Sequence[int]) -> Tensor:
        """Return ``x`` with its axes in another order."""
        if sorted(perm) != list(range(len(x.shape))):
            raise Refusal(f"permutation {list(perm)} of {len(x.shape)} axes")
        if list(perm) == sorted(perm):
            return x
        dims = [x.shape[axis] for axis in perm]
        if x.data is not None:
            return self.builder.constant(x.data.transpose(perm), x.name, x.quant)
        return self.emit("TRANSPOSE", (x, self.constant(perm)), dims)

    def reshape(self, x: Tensor, dims: Sequence[int]) -> Tensor:
        """Return ``x`` under another shape."""
        sizes = tuple(dims)
        if prod(sizes) != x.elements:
            raise Refusal(f"shape {list(x.shape)} cannot become {list(sizes)}")
        if sizes == x.shape:
            return x
        if x.data is not None:
            return self.builder.constant(x.data.reshape(sizes), x.name, x.quant)
        return self.emit("RESHAPE", (x, self.constant(sizes)), sizes)

    def quant(self, scale: int, zero_point: int, axis: int = 0) -> tuple[Quant, bool]:
        """Return the quantization that two inputs state, of bytes with a sign.

        The second value tells whether the file has them without.
        """
        scales = self.array(scale)
        if scales.dtype != np.float32 or scales.ndim > 1 or not 0 < scales.size <= 2**20:
            raise Refusal("a scale is not one float32 or a list of them")
        zeros = self.array(zero_point) if self.has(zero_point) else np.zeros(scales.shape, np.uint8)
        if zeros.dtype not in (np.uint8, np.int8, np.int32) or zeros.size != scales.size:
            raise Refusal(f"zero points of type {zeros.dtype} do not go with the scales")
        if not (np.isfinite(scales) & (scales > 0)).all():
            raise Refusal("a scale is not positive")
        is_unsigned = zeros.dtype == np.uint8
        found = signed(scales.ravel().tolist(), zeros.ravel().tolist(), is_unsigned)
        return replace(found, axis=axis), is_unsigned


def signed(scales: Sequence[float], zeros: Sequence[int], is_unsigned: bool) -> Quant:
    """Return the quantization of bytes, given a sign if they have none in the file."""
    return Quant(tuple(scales), tuple(int(zero) - 128 * is_unsigned for zero in zeros))


def as_int8(array: Array) -> Array:
    """Return bytes with a sign: those without become 128 less."""
    if array.dtype == np.uint8:
        return (array.astype(np.int16) - 128).astype(np.int8)
    if array.dtype != np.int8:
        raise Refusal(f"a constant of type {array.dtype}, expected bytes")
    return array


def axis_of(axis: int, rank: int) -> int:
    """Return an axis counted from the front."""
    if not -rank <= axis < rank:
        raise Refusal(f"axis {axis} of {rank} dimensions")
    return axis % rank
