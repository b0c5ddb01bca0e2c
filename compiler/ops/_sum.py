"""ADD and SUB: one arithmetic, two signs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import wanted_ratio
from tinysim.compiler.ops._elementwise import (
    Activated,
    Params,
    clamped_floats,
    finished,
    multiplier_params,
    rescaled,
)
from tinysim.compiler.quantize import wrap_int32

#: Bits that the inputs are raised by, so that adding them loses nothing.
LEFT_SHIFT = {DType.INT8: 20, DType.INT16: 15}


@dataclass(frozen=True)
class Sum(Activated):
    """``out = clamp(requantize(rescale(a) + sign * rescale(b)))``."""

    rescales = True
    kernels = {
        DType.INT8: ("add_s8",),
        DType.INT16: ("add_s16",),
        DType.FLOAT32: ("add_f32",),
        DType.INT32: ("add_s32",),
    }
    #: Of the second operand.
    sign: ClassVar[int]

    def limits(self, a: Tensor, b: Tensor, out: Tensor) -> Iterator[str]:
        """Check the ratio of scales."""
        yield from super().limits(a, b, out)
        if out.dtype in LEFT_SHIFT:
            ratio = 2.0 * max(a.scale, b.scale) / out.scale
            limit = 2.0 ** LEFT_SHIFT[out.dtype]
            yield from wanted_ratio(ratio, "input scale over output scale", limit)

    def arithmetic(self, first: Tensor, second: Tensor, out: Tensor, is_reversed: bool) -> Params:
        """Return multipliers; the common scale is twice the larger input scale."""
        signs = (self.sign, 1) if is_reversed else (1, self.sign)
        params: Params = {"input1_sign": signs[0], "input2_sign": signs[1]}
        if out.dtype not in LEFT_SHIFT:
            return params | self.range_of(out)
        common = 2.0 * max(first.scale, second.scale)
        for index, tensor in ((1, first), (2, second)):
            params[f"input{index}_offset"] = -tensor.zero_point
            params |= multiplier_params(f"input{index}", tensor.scale / common)
        raised = 2.0 ** LEFT_SHIFT[out.dtype] * out.scale
        params["output_offset"] = out.zero_point
        return params | multiplier_params("output", common / raised) | self.range_of(out)

    def compute(self, a: Array, b: Array, params: Params) -> Array:
        """Rescale both inputs to a common scale, add, rescale to the output's."""
        if a.dtype == np.float32:
            return clamped_floats(a + np.float32(self.sign) * b, params)
        if a.dtype == np.int32:
            total = wrap_int32(a.astype(np.int64) + self.sign * b.astype(np.int64))
            return np.clip(total, int(params["activation_min"]), int(params["activation_max"]))
        left = LEFT_SHIFT[DType(a.dtype.name)]
        raised = [
            rescaled(x, int(params[f"{name}_offset"]), params, name, left)
            for x, name in ((a, "input1"), (b, "input2"))
        ]
        return finished(raised[0] + self.sign * raised[1], params)
