"""PRELU: a slope, given as a tensor that broadcasts, for what is negative."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import wanted_ratio, wanted_shape
from tinysim.compiler.ops._elementwise import Binary, Params, multiplier_params
from tinysim.compiler.quantize import requantize


@dataclass(frozen=True)
class Prelu(Binary):
    """``out = x if x >= 0 else alpha * x``."""

    tflite = "PRELU"
    rescales = True
    kernels = {DType.INT8: ("prelu_s8",), DType.FLOAT32: ("prelu_f32",)}

    def limits(self, a: Tensor, b: Tensor, out: Tensor) -> Iterator[str]:
        """Check the ratios of scales, and that the input is what is computed."""
        yield from wanted_shape(a, "input", out.shape)
        if a.data is not None and b.data is None:
            yield "input is a constant and its slopes are not, no kernel takes that"
        if a.dtype is DType.INT8:
            for ratio in (a.scale / out.scale, a.scale * b.scale / out.scale):
                yield from wanted_ratio(
                    ratio, "input scale, with and without alpha's, over output's"
                )

    def arithmetic(self, first: Tensor, second: Tensor, out: Tensor, is_reversed: bool) -> Params:
        """Return the multipliers without and with alpha's scale."""
        if first.dtype is DType.FLOAT32:
            return {}
        params: Params = {
            "input1_offset": -first.zero_point,
            "input2_offset": -second.zero_point,
            "output_offset": out.zero_point,
        }
        params |= multiplier_params("identity", first.scale / out.scale)
        return params | multiplier_params("alpha", first.scale * second.scale / out.scale)

    def compute(self, a: Array, b: Array, params: Params) -> Array:
        """Choose by sign."""
        if a.dtype == np.float32:
            return np.where(a >= 0, a, a * b)
        p = {key: int(value) for key, value in params.items()}
        x = a.astype(np.int64) + p["input1_offset"]
        above = requantize(x, p["identity_multiplier"], p["identity_shift"])
        product = x * (b.astype(np.int64) + p["input2_offset"])
        below = requantize(product, p["alpha_multiplier"], p["alpha_shift"])
        moved = np.where(x >= 0, above, below) + p["output_offset"]
        clamped: Array = np.clip(moved, -128, 127)
        return clamped
