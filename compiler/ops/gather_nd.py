"""GATHER_ND: slices of a tensor, each picked by as many indices as it has leading dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator, wanted
from tinysim.compiler.ops._elementwise import Params
from tinysim.compiler.ops._movement import same_kind, wanted_inputs

#: Leading dimensions that the kernels pick from.
MAX_DEPTH = 5


@dataclass(frozen=True)
class GatherNd(Operator):
    """Shapes: input ``[A.., I..]``, indices ``[P.., len(A)]``, output ``[P.., I..]``.

    A computed index outside its dimension takes the nearest end.
    """

    tflite = "GATHER_ND"
    kernels = {
        dtype: (f"gather_nd_{bits}", f"gather_{bits}")
        for dtype in DType
        for bits in (min(32, 8 * dtype.itemsize),)
    }

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shapes and constant indices."""
        problems = list(wanted_inputs(inputs, 2))
        if not problems:
            x, indices = inputs
            problems += same_kind((x,), outputs)
            problems += wanted(indices, "indices", DType.INT32)
            if not problems and x is not None and indices is not None:
                problems += _misfits(x, indices, outputs[0])
        yield from problems

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Pick rows of what is seen as a matrix."""
        x, indices = inputs
        assert x is not None and indices is not None
        assert values[0] is not None and values[1] is not None
        depth = indices.shape[-1]
        rows = values[0].reshape(prod(x.shape[:depth]), -1)
        return (rows[_places(x.shape[:depth], values[1])].reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Count constant indices out; call the kernel of the element size, words for int64."""
        x, indices = inputs
        assert x is not None and indices is not None
        depth = indices.shape[-1]
        sizes = x.shape[:depth]
        picked = prod(indices.shape[:-1])
        inner = prod(x.shape[depth:]) * max(1, x.dtype.itemsize // 4)
        computed = tuple(tensor for tensor in (indices, x) if tensor.data is None)
        constants = () if x.data is None else (x.data,)
        general, simple = self.kernels[x.dtype]
        if indices.data is None:
            params: Params = {"picked": picked, "depth": depth, "inner": inner}
            padded = (*sizes, *[1] * (MAX_DEPTH - depth))
            params |= {f"size{i}": size for i, size in enumerate(padded)}
            return (KernelCall(general, params, computed, outputs, constants),)
        places = _places(sizes, indices.data).astype(np.int32)
        params = {"batches": 1, "outer": 1, "axis": prod(sizes), "picked": picked, "inner": inner}
        return (KernelCall(simple, params, computed, outputs, (*constants, places)),)


def _places(sizes: tuple[int, ...], indices: Array) -> Array:
    """Return which slices are picked, counted through."""
    places = np.zeros(indices.shape[:-1], np.int64).ravel()
    for size, column in zip(sizes, indices.reshape(-1, len(sizes)).T, strict=True):
        places = places * size + np.clip(column.astype(np.int64), 0, size - 1)
    return places


def _misfits(x: Tensor, indices: Tensor, out: Tensor) -> Iterator[str]:
    depth = indices.shape[-1] if indices.shape else 0
    if not 1 <= depth <= min(MAX_DEPTH, len(x.shape)):
        yield f"indices {list(indices.shape)} do not go with {list(x.shape)}"
        return
    shape = (*indices.shape[:-1], *x.shape[depth:])
    if out.shape != shape:
        yield f"output is {list(out.shape)}, expected {list(shape)}"
    data = indices.data
    if data is not None and not ((data >= 0) & (data < np.array(x.shape[:depth]))).all():
        yield f"an index is outside {list(x.shape[:depth])}"
