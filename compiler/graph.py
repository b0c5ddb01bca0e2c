"""The graph: what every reader makes, every pass maps and the emitter writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tinysim.compiler.ops import Operator

Array = NDArray[Any]

#: More than any board holds; sizes of a tensor fit 32 bits, and so do sums of a few.
MAX_TENSOR_BYTES = 2**28


class DType(Enum):
    """Element types; the value is numpy's name."""

    INT8 = "int8"
    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT32 = "float32"
    BOOL = "bool"

    @property
    def itemsize(self) -> int:
        """Bytes an element takes."""
        return np.dtype(self.value).itemsize

    @property
    def c_type(self) -> str:
        """C's name of the type."""
        return {"float32": "float", "bool": "bool"}.get(self.value, f"{self.value}_t")


@dataclass(frozen=True)
class Quant:
    """Affine quantization, ``real = scale * (q - zero_point)``; one entry a channel of ``axis``."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int = 0


@dataclass(frozen=True, eq=False)
class Tensor:
    """A value of the graph.

    ``id`` names the storage: a reshaped view has the id of what it views. ``name`` comes from
    the model file, is untrusted and is shown, never executed. ``data`` is set for constants.
    """

    id: int
    name: str
    shape: tuple[int, ...]
    dtype: DType
    quant: Quant | None = None
    data: Array | None = None

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes that the tensor takes."""
        return self.elements * self.dtype.itemsize

    @property
    def scale(self) -> float:
        """Per-tensor scale."""
        assert self.quant is not None
        return self.quant.scale[0]

    @property
    def zero_point(self) -> int:
        """Per-tensor zero point."""
        assert self.quant is not None
        return self.quant.zero_point[0]


@dataclass(frozen=True, eq=False)
class Node:
    """One operator applied to tensors; an absent optional input is ``None``."""

    name: str
    op: Operator
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]

    @property
    def activations(self) -> tuple[Tensor, ...]:
        """The inputs that are computed at run time."""
        return tuple(t for t in self.inputs if t is not None and t.data is None)


@dataclass(frozen=True, eq=False)
class State:
    """A tensor that keeps its value from one inference to the next, and what it holds at first.

    A node changes it by having an output with the state's id: the same storage, written in place.
    """

    tensor: Tensor
    initial: Array


@dataclass(frozen=True, eq=False)
class Graph:
    """A model: nodes in execution order.

    ``removed`` names, for the report, the operators that passes took out, and why.
    ``whole_names`` are the names in the model file, by tensor id, of which ``Tensor.name`` shows
    less.
    """

    name: str
    sha256: str
    nodes: tuple[Node, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    removed: tuple[str, ...] = field(default=())
    states: tuple[State, ...] = field(default=())
    whole_names: Mapping[int, str] = field(default_factory=dict)


def defects(graph: Graph) -> Iterator[str]:
    """Yield what makes ``graph`` impossible to execute; nothing if it is sound."""
    states = {state.tensor.id for state in graph.states}
    known = {tensor.id for tensor in graph.inputs} | states
    for node in graph.nodes:
        for tensor in node.activations:
            if tensor.id not in known:
                yield f"{node.name}: reads tensor {tensor.id} before anything has written it"
        for tensor in node.outputs:
            if tensor.id in known - states:
                yield f"{node.name}: tensor {tensor.id} is written a second time"
            known.add(tensor.id)
    for tensor in graph.outputs:
        if tensor.id not in known and tensor.data is None:
            yield f"output tensor {tensor.id} is never written"
