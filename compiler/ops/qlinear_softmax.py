"""QLINEAR_SOFTMAX: ONNX Runtime's softmax of int8 rows, by a table of exponentials.

TFLite's SOFTMAX computes in fixed point and has one output quantization.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator, wanted, wanted_quant, wanted_shape

#: Powers of e that are kept free below the largest float, for the sum's own rounding.
RESERVE = 5


@dataclass(frozen=True)
class QLinearSoftmax(Operator):
    """``out[r, i] = clamp(round_half_even(e[r, i] * steps / sum_i e[r, i]) + out_zero)``.

    ``e = table[in - max(in) + 255]``, as large as float32 lets the sum be; ``steps`` is the whole
    number below 1 / out_scale. Shapes: ``[..., depth]``, the last axis is reduced.
    """

    tflite = "QLINEAR_SOFTMAX"
    kernels = {DType.INT8: ("qlinear_softmax_s8",)}

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shapes and scales."""
        x, out = inputs[0], outputs[0]
        for tensor, role in ((x, "input"), (out, "output")):
            yield from wanted(tensor, role, DType.INT8)
            yield from wanted_quant(tensor, role)
        yield from wanted_shape(x, "input", out.shape)
        if x is None or not x.shape:
            yield "input has no axis"
            return
        if x.quant and not 2.0**-20 <= x.scale < 2.0**20:
            yield f"input scale {x.scale:g} has no table"
        if out.quant and not 2.0**-20 <= out.scale <= 1:
            yield f"output scale {out.scale:g}, the kernel takes 2^-20 to 1"

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Look up and sum in float32, one after the other."""
        x, out = inputs[0], outputs[0]
        assert x is not None and values[0] is not None
        rows = values[0].reshape(-1, x.shape[-1]).astype(np.int64)
        powers = _table(x)[rows - rows.max(axis=1, keepdims=True) + 255]
        total = np.cumsum(powers, axis=1, dtype=np.float32)[:, -1:]
        y = np.rint(powers * np.float32(_steps(out)) / total) + out.zero_point
        return (np.clip(y, -128, 127).astype(np.int8).reshape(out.shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the int8 kernel with the table."""
        x, out = inputs[0], outputs[0]
        assert x is not None
        params: dict[str, int | float] = {
            "rows": x.elements // x.shape[-1],
            "depth": x.shape[-1],
            "steps": _steps(out),
            "zero_point": out.zero_point,
        }
        return (KernelCall("qlinear_softmax_s8", params, (x,), outputs, (_table(x),)),)


def _steps(out: Tensor) -> float:
    """Return how many steps of the output make 1, in float32."""
    return float(np.floor(np.float32(1) / np.float32(out.scale)))


def _table(x: Tensor) -> Array:
    """Return ``e ** ((i - 255) * scale + shift)``, computed in double."""
    largest = np.float32(np.finfo(np.float32).max) / np.float32(x.shape[-1])
    scale = float(np.float32(x.scale))
    room = np.float32(max(0.0, math.log(float(largest)) - RESERVE))
    shift = float(room) / scale
    return np.exp((np.arange(256, dtype=np.float64) - 255 + shift) * scale).astype(np.float32)
