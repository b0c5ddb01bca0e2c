"""QLINEAR_ADD: ONNX Runtime's sum of int8 tensors, in float32.

TFLite's ADD rescales in integers; where a sum lies near the middle of two steps the two differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import wanted_ratio
from tinysim.compiler.ops._elementwise import Binary, Params

#: Largest ratio of scales; sums then stay far inside what rounding to an integer takes.
MAX_RATIO = 2.0**12


@dataclass(frozen=True)
class QLinearAdd(Binary):
    """``out = clamp(round_half_even(p * p_ratio + (q * q_ratio + fixed)))``, each sum rounded once.

    ``p`` and ``q`` are the operands as the file has them (``offset`` more than here, 128 for bytes
    without a sign); ``p`` is the first one unless ``is_swapped``: the kernel that is matched
    takes what it repeats along the innermost axis first.
    """

    tflite = "QLINEAR_ADD"
    kernels = {DType.INT8: ("qlinear_add_s8",)}
    rescales = True

    offset: int
    is_swapped: bool

    def limits(self, a: Tensor, b: Tensor, out: Tensor) -> Iterator[str]:
        """Check that the ratios of scales are moderate."""
        if self.offset not in (0, 128):
            yield f"offset {self.offset}"
        for tensor in (a, b):
            if tensor.quant and out.quant and not np.float32(out.scale) > 0:
                yield "the output scale vanishes in float32"
            elif tensor.quant and out.quant:
                yield from wanted_ratio(
                    tensor.scale / out.scale, "input scale over output scale", MAX_RATIO
                )

    def arithmetic(self, first: Tensor, second: Tensor, out: Tensor, is_reversed: bool) -> Params:
        """Return ratios and the constant part, in float32 from the start."""
        ratios = [np.float32(t.scale) / np.float32(out.scale) for t in (first, second)]
        zeros = [np.float32(t.zero_point + self.offset) for t in (first, second)]
        is_first_last = self.is_swapped == is_reversed
        p, q = (0, 1) if is_first_last else (1, 0)
        zero = fused(ratios[p], zeros[p], ratios[q] * zeros[q])
        return {
            "offset": self.offset,
            "input1_ratio": float(ratios[0]),
            "input2_ratio": float(ratios[1]),
            "fixed": float(np.float32(out.zero_point + self.offset) - zero),
            "input1_last": int(is_first_last),
        }

    def compute(self, a: Array, b: Array, params: Params) -> Array:
        """Add in the order of the kernel that is matched."""
        terms = [
            (np.float32(params["input1_ratio"]), a.astype(np.float32) + self.offset),
            (np.float32(params["input2_ratio"]), b.astype(np.float32) + self.offset),
        ]
        (p_ratio, p), (q_ratio, q) = terms if params["input1_last"] else terms[::-1]
        total = fused(p_ratio, p, fused(q_ratio, q, np.float32(params["fixed"])))
        return np.asarray(np.clip(np.rint(total) - self.offset, -128, 127))


def fused(a: Any, b: Any, c: Any) -> Any:
    """Return ``a * b + c`` rounded once: products of a byte are exact in double."""
    wide = np.asarray(a, np.float64) * np.asarray(b, np.float64) + np.asarray(c, np.float64)
    return wide.astype(np.float32)
