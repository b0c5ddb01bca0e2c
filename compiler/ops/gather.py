"""GATHER: slices of a tensor, picked along an axis by indices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator, Options, wanted
from tinysim.compiler.ops._movement import same_kind, wanted_axis, wanted_inputs


@dataclass(frozen=True)
class Gather(Operator):
    """Shapes: input ``[B, O, A, I]``, indices ``[B, P]``, output ``[B, O, P, I]``.

    Each letter is any number of dimensions, but ``A`` is one. A computed index outside ``A`` takes
    its nearest end.
    """

    tflite = "GATHER"
    kernels = {
        dtype: (f"gather_{bits}", f"gather_{bits}_table")
        for dtype in DType
        for bits in (min(32, 8 * dtype.itemsize),)
    }

    axis: int
    batch_dims: int = 0

    @classmethod
    def from_tflite(cls, options: Options) -> Gather:
        """Take the axis and the number of dimensions that indices share with the input."""
        return cls(options["Axis"], options["BatchDims"])

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shapes and constant indices."""
        problems = list(wanted_inputs(inputs, 2))
        if not problems:
            x, indices = inputs
            problems += same_kind((x,), outputs)
            problems += wanted(indices, "indices", DType.INT32)
            if not problems and x is not None and indices is not None:
                problems += self._misfits(x, indices, outputs[0])
        yield from problems

    def _misfits(self, x: Tensor, indices: Tensor, out: Tensor) -> Iterator[str]:
        if problems := list(wanted_axis(self.axis, len(x.shape))):
            yield from problems
            return
        axis, batch = self._places(x, indices)
        if not 0 <= batch <= min(axis, len(indices.shape)):
            yield f"{self.batch_dims} batch dimensions do not go with axis {axis}"
            return
        shape = (*x.shape[:axis], *indices.shape[batch:], *x.shape[axis + 1 :])
        if x.shape[:batch] != indices.shape[:batch] or out.shape != shape:
            yield f"output is {list(out.shape)}, expected {list(shape)}"
        data = indices.data
        if data is not None and not ((data >= 0) & (data < x.shape[axis])).all():
            yield f"an index is outside a dimension of {x.shape[axis]}"

    def _places(self, x: Tensor, indices: Tensor) -> tuple[int, int]:
        """Return axis and number of batch dimensions, counted from the front."""
        batch = self.batch_dims + (len(indices.shape) if self.batch_dims < 0 else 0)
        return self.axis % len(x.shape), batch

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def _sizes(self, x: Tensor, indices: Tensor) -> dict[str, int | float]:
        axis, batch = self._places(x, indices)
        return {
            "batches": prod(x.shape[:batch]),
            "outer": prod(x.shape[batch:axis]),
            "axis": x.shape[axis],
            "picked": prod(indices.shape[batch:]),
            "inner": prod(x.shape[axis + 1 :]),
        }

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Pick, batch by batch."""
        x, indices = inputs
        assert x is not None and indices is not None
        assert values[0] is not None and values[1] is not None
        b, o, a, p, i = (int(size) for size in self._sizes(x, indices).values())
        places = np.clip(values[1].reshape(b, 1, p, 1), 0, a - 1)
        picked = np.take_along_axis(values[0].reshape(b, o, a, i), places, axis=2)
        return (picked.reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the element size; words for int64."""
        x, indices = inputs
        assert x is not None and indices is not None
        params = self._sizes(x, indices)
        params["inner"] = int(params["inner"]) * max(1, x.dtype.itemsize // 4)
        read = tuple(tensor for tensor in (x, indices) if tensor.data is None)
        fixed = tuple(tensor.data for tensor in (x, indices) if tensor.data is not None)
        usual, from_table = self.kernels[x.dtype]
        # Constants are passed behind what is computed: a table comes behind its indices.
        kernel = from_table if x.data is not None and indices.data is None else usual
        return (KernelCall(kernel, params, read, outputs, fixed),)
