"""MUL: the product of two tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import wanted_ratio
from tinysim.compiler.ops._elementwise import (
    QUANTIZED,
    Activated,
    Params,
    clamped_floats,
    finished,
    multiplier_params,
)
from tinysim.compiler.quantize import wrap_int32


@dataclass(frozen=True)
class Mul(Activated):
    """``out = clamp(a * b)``."""

    tflite = "MUL"
    rescales = True
    kernels = {
        DType.INT8: ("mul_s8",),
        DType.INT16: ("mul_s16",),
        DType.FLOAT32: ("mul_f32",),
        DType.INT32: ("mul_s32",),
    }

    def limits(self, a: Tensor, b: Tensor, out: Tensor) -> Iterator[str]:
        """Check the ratio of scales."""
        yield from super().limits(a, b, out)
        if out.dtype in QUANTIZED:
            yield from wanted_ratio(
                a.scale * b.scale / out.scale, "product of scales over output's"
            )

    def arithmetic(self, first: Tensor, second: Tensor, out: Tensor, is_reversed: bool) -> Params:
        """Return the multiplier ``scale * scale / scale``."""
        if out.dtype not in QUANTIZED:
            return self.range_of(out)
        params: Params = {
            "input1_offset": -first.zero_point,
            "input2_offset": -second.zero_point,
            "output_offset": out.zero_point,
        }
        params |= multiplier_params("output", first.scale * second.scale / out.scale)
        return params | self.range_of(out)

    def compute(self, a: Array, b: Array, params: Params) -> Array:
        """Multiply the centred operands."""
        if a.dtype == np.float32:
            return clamped_floats(a * b, params)
        if a.dtype == np.int32:
            product = wrap_int32(a.astype(np.int64) * b.astype(np.int64))
            return np.clip(product, int(params["activation_min"]), int(params["activation_max"]))
        x = a.astype(np.int64) + int(params["input1_offset"])
        return finished(x * (b.astype(np.int64) + int(params["input2_offset"])), params)
