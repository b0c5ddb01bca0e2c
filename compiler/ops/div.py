"""DIV: the quotient of two tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops._elementwise import Activated, Params, clamped_floats
from tinysim.compiler.quantize import wrap_int32


@dataclass(frozen=True)
class Div(Activated):
    """``out = clamp(a / b)``; an int32 quotient is cut towards zero, and is 0 if ``b`` is 0."""

    tflite = "DIV"
    kernels = {DType.FLOAT32: ("div_f32",), DType.INT32: ("div_s32",)}

    def arithmetic(self, first: Tensor, second: Tensor, out: Tensor, is_reversed: bool) -> Params:
        """Return the range and the order of the operands."""
        return {"is_reversed": int(is_reversed)} | self.range_of(out)

    def compute(self, a: Array, b: Array, params: Params) -> Array:
        """Divide as C does; what C leaves undefined is 0, or wraps."""
        if a.dtype == np.float32:
            return clamped_floats(a / b, params)
        x, y = a.astype(np.int64), b.astype(np.int64)
        quotient = np.abs(x) // np.maximum(np.abs(y), 1) * np.sign(x) * np.sign(y)
        limits = int(params["activation_min"]), int(params["activation_max"])
        return np.clip(wrap_int32(quotient), *limits)
