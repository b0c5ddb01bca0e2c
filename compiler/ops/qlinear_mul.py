"""QLINEAR_MUL: ONNX Runtime's product of int8 tensors, in float32.

TFLite's MUL rescales in integers; where a product lies near the middle of two steps the two differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import wanted_ratio
from tinysim.compiler.ops._elementwise import Binary, Params

MAX_RATIO = 2.0**6


@dataclass(frozen=True)
class QLinearMul(Binary):
    """``out = clamp(round_half_even(a * b * ratio + zero_point))``, rounded after each step.

    ``offset`` is what the file's bytes are more than here: 128 if they have no sign. It changes
    nothing but the float32 in which the output's zero point is added.
    """

    tflite = "QLINEAR_MUL"
    kernels = {DType.INT8: ("qlinear_mul_s8",)}
    rescales = True

    offset: int

    def limits(self, a: Tensor, b: Tensor, out: Tensor) -> Iterator[str]:
        """Check that the ratio of scales is moderate."""
        if self.offset not in (0, 128):
            yield f"offset {self.offset}"
        if a.quant and b.quant and out.quant:
            if not np.float32(out.scale) > 0:
                yield "the output scale vanishes in float32"
                return
            ratio = a.scale * b.scale / out.scale
            yield from wanted_ratio(ratio, "input scales over output scale", MAX_RATIO)

    def arithmetic(self, first: Tensor, second: Tensor, out: Tensor, is_reversed: bool) -> Params:
        """Return the ratio, in float32 from the start."""
        scale = np.float32(first.scale) * np.float32(second.scale)
        return {
            "input1_offset": -first.zero_point,
            "input2_offset": -second.zero_point,
            "ratio": float(scale / np.float32(out.scale)),
            "zero_point": out.zero_point + self.offset,
            "offset": self.offset,
        }

    def compute(self, a: Array, b: Array, params: Params) -> Array:
        """Multiply integers, then scale and add in float32."""
        left = a.astype(np.int32) + int(params["input1_offset"])
        right = b.astype(np.int32) + int(params["input2_offset"])
        scaled = (left * right).astype(np.float32) * np.float32(params["ratio"])
        total = np.rint(scaled + np.float32(params["zero_point"]))
        return np.asarray(np.clip(total - self.offset, -128, 127))
