"""Operators that only move data: views of inputs go to views of outputs, element by element.

An operator says once what goes where (``moves``); the reference assigns, ``lower`` takes the
strides of the same views for the copying kernels.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator, wanted, wanted_constant

#: Source and target of one copy: views of equal shape and type.
Move = tuple[Array, Array]

#: By element size; what lies side by side is moved in words if it is aligned.
KERNELS = {
    dtype: ("copy_32",) if dtype.itemsize >= 4 else ("copy_32", f"copy_{8 * dtype.itemsize}")
    for dtype in DType
}

#: Dimensions that the copying kernels have.
MAX_DIMENSIONS = 6

#: Calls that a copy may take if there are more.
MAX_PIECES = 64

#: Every tensor and constant starts at a multiple of it.
WORD_BYTES = 4

#: Types whose values mean nothing without scale and zero point.
QUANTIZED = (DType.INT8, DType.UINT8, DType.INT16)


class Movement(Operator):
    """Base of the operators; a subclass gives ``misfits`` and ``moves``."""

    kernels = KERNELS

    @abstractmethod
    def misfits(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Yield why ``moves`` cannot be asked; shapes of the moves are checked here in the base."""

    @abstractmethod
    def moves(
        self, inputs: Inputs, sources: Sequence[Array], targets: Sequence[Array]
    ) -> Iterator[Move]:
        """Yield views of ``sources`` and where they go in ``targets``, in order.

        The arrays have shapes and types of the inputs and outputs, but their values may be no more
        than stand-ins. Another array than these is a constant. A source may be a view of a target
        that is already written.
        """

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check the operator's own rules, then that the moves fit and fill the outputs."""
        found = list(self.misfits(inputs, outputs))
        yield from found
        if found:
            return
        moved = 0
        for source, target in self.moves(inputs, _stand_ins(inputs), _stand_ins(outputs)):
            if source.shape != target.shape:
                yield f"an output holds {list(target.shape)} where {list(source.shape)} goes"
                return
            moved += target.size
        if moved != sum(tensor.elements for tensor in outputs):
            yield "the outputs do not hold as many elements as are moved"
        elif any(copy.pieces > MAX_PIECES for copy in self._copies(inputs, outputs)):
            yield f"moves through many more than {MAX_DIMENSIONS} dimensions"

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Assign."""
        sources = [np.empty(0) if value is None else value for value in values]
        targets = _stand_ins(outputs)
        for source, target in self.moves(inputs, sources, targets):
            target[...] = source
        return tuple(targets)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call a copying kernel for each move."""
        copies = self._copies(inputs, outputs)
        return tuple(piece.call() for copy in copies for piece in copy.split())

    def _copies(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[_Copy]:
        """Give each move its tensors or constant, and its strides."""
        sources, targets = _stand_ins(inputs), _stand_ins(outputs)
        ends = [*zip(sources, inputs, strict=True), *zip(targets, outputs, strict=True)]
        for source, target in self.moves(inputs, sources, targets):
            output, output_start = _owner(target, ends)
            read, input_start = _owner(source, ends)
            assert output is not None
            if read is None:
                yield _from_constant(source, target, output, output_start)
                continue
            rows = _merged(source.strides, target, source.itemsize, 1)
            yield _in_units(read, output, (input_start, output_start), rows, 1)


#: A dimension of a copy: size, input stride, output stride.
Row = tuple[int, int, int]


@dataclass(frozen=True)
class _Copy:
    """A copy of units of some bytes."""

    source: Tensor | Array
    output: Tensor
    unit: int
    input_start: int
    output_start: int
    rows: tuple[Row, ...]

    @property
    def pieces(self) -> int:
        """How many calls it takes, if a kernel has fewer loops than there are dimensions."""
        return prod(size for size, _, _ in self.rows[:-MAX_DIMENSIONS])

    def split(self) -> Iterator[_Copy]:
        """Yield copies that a kernel has enough loops for."""
        if len(self.rows) <= MAX_DIMENSIONS:
            yield self
            return
        size, stride, step = self.rows[0]
        for i in range(size):
            starts = self.input_start + i * stride, self.output_start + i * step
            yield from replace(
                self, input_start=starts[0], output_start=starts[1], rows=self.rows[1:]
            ).split()

    def call(self) -> KernelCall:
        """Return the kernel's call, with dimensions of one element in front."""
        rows = ((1, 0, 0),) * (MAX_DIMENSIONS - len(self.rows)) + self.rows
        params: dict[str, int | float] = {
            "input_start": self.input_start,
            "output_start": self.output_start,
        }
        for column, name in enumerate(("size", "input_stride", "output_stride")):
            params |= {f"{name}_d{axis}": row[column] for axis, row in enumerate(rows)}
        source = self.source
        constant = source.data if isinstance(source, Tensor) else source
        reads = (source,) if isinstance(source, Tensor) and constant is None else ()
        constants = () if constant is None else (constant,)
        return KernelCall(f"copy_{8 * self.unit}", params, reads, (self.output,), constants)


def _merged(read: Sequence[int], target: Array, itemsize: int, inner: int) -> list[Row]:
    """Return dimensions in bytes and in the order of writing; those that go on are one.

    The bytes of an element are the last dimension, which has the input stride ``inner``.
    """
    rows = sorted(
        zip(target.shape, read, target.strides, strict=True), key=lambda row: -abs(row[2])
    )
    merged: list[Row] = []
    for size, stride, step in [*rows, (itemsize, inner, 1)]:
        if merged and size > 1 and merged[-1][1:] == (size * stride, size * step):
            merged[-1] = (merged[-1][0] * size, stride, step)
        elif size > 1:
            merged.append((size, stride, step))
    return merged


def _in_units(
    source: Tensor | Array, output: Tensor, starts: tuple[int, int], rows: list[Row], inner: int
) -> _Copy:
    """Take the widest unit that starts, strides and runs allow; all is given in bytes."""
    run = 1
    if rows and rows[-1][1:] == (inner, 1):
        run, rows = rows[-1][0], rows[:-1]
    steps = [run, *starts, *(step for row in rows for step in row[1:])]
    unit = next(unit for unit in (WORD_BYTES, 2, 1) if not any(step % unit for step in steps))
    counted = [(size, stride // unit, step // unit) for size, stride, step in rows]
    if run > unit:
        counted.append((run // unit, inner, 1))
    return _Copy(source, output, unit, starts[0] // unit, starts[1] // unit, tuple(counted))


def _from_constant(source: Array, target: Array, output: Tensor, output_start: int) -> _Copy:
    """Copy an array of the operator's own; one value for all elements is written in words."""
    is_one = source.size == 1 or not any(source.strides)
    value = np.ascontiguousarray(source[(slice(0, 1),) * source.ndim] if is_one else source)
    inner = 1
    strides = (0,) * target.ndim if is_one else value.strides
    if is_one and value.itemsize <= WORD_BYTES:
        inner, value = 0, np.tile(value.ravel(), WORD_BYTES // value.itemsize)
    rows = _merged(strides, target, target.itemsize, inner)
    return _in_units(value, output, (0, output_start), rows, inner)


def _stand_ins(tensors: Sequence[Tensor | None]) -> list[Array]:
    """Return arrays like the tensors; memory that nobody touches costs nothing."""
    return [
        np.empty(0) if tensor is None else np.empty(tensor.shape, tensor.dtype.value)
        for tensor in tensors
    ]


def _owner(view: Array, ends: Sequence[tuple[Array, Tensor | None]]) -> tuple[Tensor | None, int]:
    """Return the tensor whose stand-in a view shows, and at which byte; None for another array."""
    address = _address(view)
    for array, tensor in ends:
        if 0 <= address - _address(array) < array.nbytes:
            return tensor, address - _address(array)
    return None, 0


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


# --- checks that several operators share ----------------------------------------------------------


def same_kind(tensors: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> Iterator[str]:
    """Yield a problem unless all are there, of one type and, if it is quantized, of one scale."""
    for tensor in (*tensors, *outputs):
        if tensor is None:
            yield "an input is missing"
        elif tensor.dtype != outputs[0].dtype:
            yield f"moves {tensor.dtype.value} to {outputs[0].dtype.value}, types must be the same"
        elif tensor.dtype in QUANTIZED and tensor.quant != outputs[0].quant:
            yield "inputs and outputs are quantized differently, that has no kernel"


def wanted_inputs(inputs: Inputs, count: int) -> Iterator[str]:
    """Yield a problem unless there are ``count`` inputs."""
    if len(inputs) != count:
        yield f"has {len(inputs)} inputs, expected {count}"


def wanted_numbers(tensor: Tensor | None, role: str, count: int | None = None) -> Iterator[str]:
    """Yield a problem unless ``tensor`` is a constant of ``count`` integers."""
    yield from wanted(tensor, role, DType.INT32, DType.INT64)
    yield from wanted_constant(tensor, role)
    if tensor is not None and count is not None and tensor.elements != count:
        yield f"{role} has {tensor.elements} numbers, expected {count}"


def wanted_axis(axis: int, rank: int, role: str = "axis") -> Iterator[str]:
    """Yield a problem unless ``axis``, counted from either end, is one of ``rank``."""
    if not -rank <= axis < rank:
        yield f"{role} is {axis}, there are {rank} dimensions"


def numbers(tensor: Tensor | None) -> list[int]:
    """Return what ``wanted_numbers`` has checked."""
    assert tensor is not None and tensor.data is not None
    return [int(value) for value in tensor.data.ravel()]
