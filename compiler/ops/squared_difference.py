"""SQUARED_DIFFERENCE of two tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import wanted_ratio
from tinysim.compiler.ops._elementwise import (
    Binary,
    Params,
    finished,
    multiplier_params,
    rescaled,
)
from tinysim.compiler.quantize import wrap_int32

#: Bits that the inputs are raised by; the square must stay an int32.
LEFT_SHIFT = {DType.INT8: 7, DType.INT16: 0}


@dataclass(frozen=True)
class SquaredDifference(Binary):
    """``out = (a - b) ** 2``."""

    tflite = "SQUARED_DIFFERENCE"
    rescales = True
    kernels = {
        DType.INT8: ("squared_difference_s8",),
        DType.INT16: ("squared_difference_s16",),
        DType.FLOAT32: ("squared_difference_f32",),
        DType.INT32: ("squared_difference_s32",),
    }

    def limits(self, a: Tensor, b: Tensor, out: Tensor) -> Iterator[str]:
        """Check the ratio of scales."""
        if out.dtype in LEFT_SHIFT:
            yield from wanted_ratio(_output_ratio(a, b, out), "squared input scale over output's")

    def arithmetic(self, first: Tensor, second: Tensor, out: Tensor, is_reversed: bool) -> Params:
        """Return multipliers; the common scale is twice the larger input scale."""
        if out.dtype not in LEFT_SHIFT:
            return {}
        common = 2.0 * max(first.scale, second.scale)
        params: Params = {}
        for index, tensor in ((1, first), (2, second)):
            params[f"input{index}_offset"] = -tensor.zero_point
            params |= multiplier_params(f"input{index}", tensor.scale / common)
        params["output_offset"] = out.zero_point
        params |= multiplier_params("output", _output_ratio(first, second, out))
        limits = np.iinfo(out.dtype.value)
        return params | {"activation_min": int(limits.min), "activation_max": int(limits.max)}

    def compute(self, a: Array, b: Array, params: Params) -> Array:
        """Subtract on the common scale, square, requantize."""
        if a.dtype == np.float32:
            squared: Array = (a - b) * (a - b)
            return squared
        if a.dtype == np.int32:
            difference = wrap_int32(a.astype(np.int64) - b.astype(np.int64))
            return wrap_int32(difference * difference)
        left = LEFT_SHIFT[DType(a.dtype.name)]
        x, y = (
            rescaled(value, int(params[f"{name}_offset"]), params, name, left)
            for value, name in ((a, "input1"), (b, "input2"))
        )
        return finished((x - y) * (x - y), params)


def _output_ratio(a: Tensor, b: Tensor, out: Tensor) -> float:
    """Return the square of the common scale, its raising taken back, over the output's scale."""
    common = 2.0 * max(a.scale, b.scale)
    return common * common / (4.0 ** LEFT_SHIFT[out.dtype] * out.scale)
