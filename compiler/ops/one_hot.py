"""ONE_HOT: a vector for each index, with one value where the index points and another elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import (
    Inputs,
    KernelCall,
    Operator,
    Options,
    wanted,
    wanted_constant,
    wanted_shape,
)
from tinysim.compiler.ops._movement import numbers, wanted_axis, wanted_inputs, wanted_numbers

#: Types of the output, all elements of which the kernels take as bits.
TYPES = (DType.INT8, DType.INT16, DType.INT32, DType.FLOAT32, DType.BOOL)


@dataclass(frozen=True)
class OneHot(Operator):
    """Inputs: indices, depth, value at the index, value elsewhere; all but the first constant.

    The output has the indices' shape with the depth put in before ``axis``. An index outside
    points nowhere.
    """

    tflite = "ONE_HOT"
    kernels = {DType.INT32: ("one_hot_8", "one_hot_16", "one_hot_32")}

    axis: int = -1

    @classmethod
    def from_tflite(cls, options: Options) -> OneHot:
        """Take the axis."""
        return cls(options["Axis"])

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shapes and the depth."""
        if problems := list(wanted_inputs(inputs, 4)):
            yield from problems
            return
        indices, depth, *values = inputs
        out = outputs[0]
        yield from wanted(indices, "indices", DType.INT32)
        yield from wanted(out, "output", *TYPES)
        for tensor in values:
            yield from wanted(tensor, "value", out.dtype)
            yield from wanted_constant(tensor, "value")
            if tensor is not None and tensor.elements != 1:
                yield f"value has {tensor.elements} elements, expected 1"
        if indices is not None and indices.data is not None:
            yield "indices are constant, the kernels take computed ones"
        problems = [*wanted_numbers(depth, "depth", 1), *wanted_axis(self.axis, len(out.shape))]
        yield from problems
        if not problems and indices is not None:
            axis = self.axis % len(out.shape)
            shape = (*indices.shape[:axis], *numbers(depth), *indices.shape[axis:])
            yield from wanted_shape(out, "output", shape)

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Compare with all indices."""
        indices, _, on, off = values
        assert indices is not None and on is not None and off is not None
        axis = self.axis % len(outputs[0].shape)
        places = np.moveaxis(np.expand_dims(indices, axis), axis, -1)
        is_hot = np.moveaxis(places == np.arange(outputs[0].shape[axis]), -1, axis)
        return (np.where(is_hot, on.reshape(()), off.reshape(())).astype(off.dtype),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the elements' size."""
        indices, out = inputs[0], outputs[0]
        assert indices is not None
        axis = self.axis % len(out.shape)
        on, off = (_bits(tensor) for tensor in inputs[2:])
        params: dict[str, int | float] = {
            "outer": prod(out.shape[:axis]),
            "depth": out.shape[axis],
            "inner": prod(out.shape[axis + 1 :]),
            "on_bits": on,
            "off_bits": off,
        }
        kernel = f"one_hot_{8 * out.dtype.itemsize}"
        return (KernelCall(kernel, params, (indices,), outputs),)


def _bits(tensor: Tensor | None) -> int:
    """Return the one element as a signed number of the same bits."""
    assert tensor is not None and tensor.data is not None
    return int(tensor.data.ravel().view(f"i{tensor.dtype.itemsize}")[0])
