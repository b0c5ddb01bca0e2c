"""What ARG_MAX and ARG_MIN share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator, wanted, wanted_constant

_TYPES = (DType.INT8, DType.FLOAT32)


@dataclass(frozen=True)
class ArgExtreme(Operator):
    """``out[o, i] = index of the extreme of in[o, :, i]``, the first of equals.

    The axis is a constant input of one element. The output is int32 or int64; the reduced axis
    is missing in its shape or 1.
    """

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, the axis and the output's shape."""
        if len(inputs) != 2:
            yield f"has {len(inputs)} inputs, expected 2"
            return
        x, axis = inputs
        yield from wanted(x, "input", *_TYPES)
        yield from wanted(axis, "axis", DType.INT32, DType.INT64)
        yield from wanted_constant(axis, "axis")
        yield from wanted(outputs[0], "output", DType.INT32, DType.INT64)
        if x is None or axis is None or axis.data is None:
            return
        if axis.elements != 1 or not -len(x.shape) <= int(axis.data.ravel()[0]) < len(x.shape):
            yield f"axis {axis.data.ravel().tolist()} does not go with input {list(x.shape)}"
            return
        place = _axis(x, axis)
        front, back = x.shape[:place], x.shape[place + 1 :]
        if outputs[0].shape not in ((*front, *back), (*front, 1, *back)):
            yield f"output {list(outputs[0].shape)} does not go with axis {place}"

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    @abstractmethod
    def compare(self, candidate: Array, best: Array) -> Array:
        """Tell where a candidate is better than the best so far."""

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Compare from front to back; what is not a number is chosen only if it comes first."""
        x, axis = inputs
        assert x is not None and axis is not None and values[0] is not None
        lines = np.moveaxis(values[0], _axis(x, axis), 0)
        best = lines[0]
        found = np.zeros(best.shape, np.int64)
        for index, line in enumerate(lines[1:], start=1):
            is_better = self.compare(line, best)
            best, found = np.where(is_better, line, best), np.where(is_better, index, found)
        return (found.astype(outputs[0].dtype.value).reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the input's type."""
        x, axis = inputs
        assert x is not None and axis is not None
        place = _axis(x, axis)
        params = {
            "outer": prod(x.shape[:place]),
            "length": x.shape[place],
            "inner": prod(x.shape[place + 1 :]),
            "output_bytes": outputs[0].dtype.itemsize,
        }
        return (KernelCall(self.kernels[x.dtype][0], params, (x,), outputs),)


def _axis(x: Tensor, axis: Tensor) -> int:
    """Return the axis, counted from the front."""
    assert axis.data is not None
    return int(axis.data.ravel()[0]) % len(x.shape)
