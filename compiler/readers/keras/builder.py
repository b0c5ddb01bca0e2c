"""Nodes and tensors of the graph as layers make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from tinysim.compiler.graph import MAX_TENSOR_BYTES, Array, DType, Node, Tensor
from tinysim.compiler.ops import operator_class
from tinysim.compiler.readers.keras.archive import Weights
from tinysim.compiler.readers.keras.config import Config, LayerError
from tinysim.compiler.readers.keras.model import Layer

Shape = tuple[int, ...]
#: No operator here takes more dimensions.
MAX_RANK = 6


class _Options(dict[str, Any]):
    """Options under their names in TFLite; those not given have TFLite's defaults."""

    _VALUES = {"FusedActivationFunction": "NONE", "Padding": "VALID"}

    def __missing__(self, key: str) -> Any:
        return self._VALUES.get(key, 0)


@dataclass
class Builder:
    """The graph so far; constants of a layer that is called again are made once."""

    weights: Weights
    keras3: bool
    nodes: list[Node] = field(default_factory=list)
    _constants: dict[tuple[Layer, str], Tensor] = field(default_factory=dict)
    _weights: dict[Layer, list[Array]] = field(default_factory=dict)
    _next: int = 0

    def tensor(self, name: str, shape: Sequence[int], data: Array | None = None) -> Tensor:
        """Make a tensor with an id of its own."""
        shape = tuple(int(size) for size in shape)
        if len(shape) > MAX_RANK:
            raise LayerError(f"{len(shape)} dimensions are more than any operator takes")
        if min(shape, default=1) < 1 or prod(shape) * 4 > MAX_TENSOR_BYTES:
            raise LayerError(f"makes a tensor of shape {list(shape)}")
        dtype = DType.FLOAT32 if data is None else DType(data.dtype.name)
        self._next += 1
        return Tensor(self._next - 1, name, shape, dtype, None, data)

    def constant(self, layer: Layer, role: str, data: Array) -> Tensor:
        """Return a constant of a layer, the same one each time it is asked for."""
        data = np.ascontiguousarray(data)
        known = self._constants.get((layer, role))
        if known is not None and known.data is not None and np.array_equal(known.data, data):
            return known
        made = self.tensor(f"{layer.name}/{role}", data.shape, data)
        return self._constants.setdefault((layer, role), made)

    def weights_of(self, layer: Layer) -> list[Array]:
        """Read a layer's weights, once."""
        if layer not in self._weights:
            self._weights[layer] = self.weights.of(layer.names, layer.slots)
        return self._weights[layer]


@dataclass
class Scope:
    """What a layer's function gets: the layer, what it is called on, and means to emit nodes."""

    builder: Builder
    layer: Layer
    inputs: tuple[Tensor, ...]
    _emitted: int = 0

    @property
    def config(self) -> Config:
        """The layer's configuration."""
        return self.layer.config

    @property
    def x(self) -> Tensor:
        """The only input."""
        if len(self.inputs) != 1:
            raise LayerError(f"has {len(self.inputs)} inputs, expected 1")
        return self.inputs[0]

    def image(self, rank: int = 4) -> Tensor:
        """Return the only input, which has ``rank`` dimensions, channels last."""
        if self.config.raw("data_format") == "channels_first":
            raise LayerError("data_format channels_first is not supported, use channels_last")
        if len(self.x.shape) != rank:
            raise LayerError(f"input {list(self.x.shape)} must have {rank} dimensions")
        return self.x

    def weights(self, *shapes: Shape) -> list[Array]:
        """Return the layer's weights, which have these shapes."""
        found = self.builder.weights_of(self.layer)
        if [array.shape for array in found] != list(shapes):
            has = ", ".join(str(list(array.shape)) for array in found) or "missing"
            wanted = ", ".join(str(list(shape)) for shape in shapes)
            raise LayerError(f"weights are {has}, expected {wanted}")
        return found

    def floats(self, role: str, data: Any) -> Tensor:
        """Return a float32 constant."""
        with np.errstate(over="ignore"):
            values = np.asarray(data, np.float32)
        if not np.isfinite(values).all():
            raise LayerError(f"{role} is too large for float32")
        return self.builder.constant(self.layer, role, values)

    def integers(self, role: str, data: Any) -> Tensor:
        """Return an int32 constant, as TFLite passes shapes, axes and paddings."""
        return self.builder.constant(self.layer, role, np.asarray(data, np.int32))

    def emit(
        self, operator: str, inputs: Sequence[Tensor], shape: Sequence[int], **options: Any
    ) -> Tensor:
        """Append a node with one output; ``options`` have the names of TFLite's option tables."""
        if (cls := operator_class(operator)) is None:
            raise LayerError(f"needs the operator {operator}, which is not supported")
        suffix = f"/{operator.lower()}" if self._emitted else ""
        out = self.builder.tensor(f"{self.layer.name}{suffix}", shape)
        op = cls.from_tflite(_Options(options))
        if found := list(op.problems(tuple(inputs), (out,))):
            raise LayerError(f"{operator}: " + "; ".join(found[:5]))
        self.builder.nodes.append(Node(out.name, op, tuple(inputs), (out,)))
        self._emitted += 1
        return out

    def binary(self, operator: str, a: Tensor, b: Tensor) -> Tensor:
        """Append an element-wise operator on two tensors of one rank, or a constant."""
        try:
            shape = np.broadcast_shapes(a.shape, b.shape)
        except ValueError as error:
            text = f"shapes {list(a.shape)} and {list(b.shape)} do not go together"
            raise LayerError(text) from error
        return self.emit(operator, (a, b), shape)

    def unary(self, operator: str, x: Tensor, **options: Any) -> Tensor:
        """Append an element-wise operator."""
        return self.emit(operator, (x,), x.shape, **options)

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """Append a view under another shape, unless it is the same."""
        if tuple(shape) == x.shape:
            return x
        role = f"shape{'x'.join(str(size) for size in shape)}"
        return self.emit("RESHAPE", (x, self.integers(role, shape)), shape)
