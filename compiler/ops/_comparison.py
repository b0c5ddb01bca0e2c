"""What the six comparisons share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops._elementwise import Binary, Params, multiplier_params, rescaled

#: The relations, numbered as in kernels/relation.h, and what each is from the other side.
RELATIONS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
MIRRORED = (0, 1, 4, 5, 2, 3)

#: Bits that int8 operands are raised by.
LEFT_SHIFT = 8


@dataclass(frozen=True)
class Comparison(Binary):
    """``out = a relation b``; int8 operands are real numbers, in steps of 1/256 as in TFLM."""

    rescales = True
    kernels = {
        DType.INT8: ("compare_s8",),
        DType.INT32: ("compare_s32",),
        DType.INT64: ("compare_s64",),
        DType.FLOAT32: ("compare_f32",),
    }
    related: ClassVar[np.ufunc]

    def result(self, dtype: DType) -> DType:
        """Return bool."""
        return DType.BOOL

    def limits(self, a: Tensor, b: Tensor, out: Tensor) -> Iterator[str]:
        """Check that scales are below one, which the fixed point asks for."""
        if a.dtype is DType.INT8 and not max(a.scale, b.scale) < 1 - 2.0**-20:
            yield f"a scale is {max(a.scale, b.scale):g}, the kernel takes those below 1"

    def arithmetic(self, first: Tensor, second: Tensor, out: Tensor, is_reversed: bool) -> Params:
        """Return the relation, as seen from the first operand, and the scales."""
        relation = RELATIONS.index(self.tflite)
        params: Params = {"relation": MIRRORED[relation] if is_reversed else relation}
        if first.dtype is DType.INT8:
            for index, tensor in ((1, first), (2, second)):
                params[f"input{index}_offset"] = -tensor.zero_point
                params |= multiplier_params(f"input{index}", tensor.scale)
        return params

    def compute(self, a: Array, b: Array, params: Params) -> Array:
        """Compare in numpy."""
        if a.dtype == np.int8:
            a, b = (
                rescaled(x, int(params[f"{name}_offset"]), params, name, LEFT_SHIFT)
                for x, name in ((a, "input1"), (b, "input2"))
            )
        return np.asarray(self.related(a, b))
