"""L2_NORMALIZATION: rows are divided by their Euclidean length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import (
    Inputs,
    KernelCall,
    Operator,
    Options,
    wanted,
    wanted_quant,
    wanted_shape,
)
from tinysim.compiler.quantize import high_mul, requantize, rounding_shift_right

#: Shorter rows are divided by this.
EPSILON = 1e-6

#: Elements of a row whose squares surely add up below 2^31.
MAX_INT8_DEPTH = 2**15

#: Bits behind the point of an int8 output.
OUTPUT_BITS = 7


@dataclass(frozen=True)
class L2Normalization(Operator):
    """``out = x / max(sqrt(sum x * x), 1e-6)`` over the last axis.

    An int8 output has scale 1/128 and zero point 0.
    """

    tflite = "L2_NORMALIZATION"
    kernels = {DType.INT8: ("l2_normalization_s8",), DType.FLOAT32: ("l2_normalization_f32",)}

    activation: str = "NONE"

    @classmethod
    def from_tflite(cls, options: Options) -> L2Normalization:
        """Take the fused activation, to refuse any."""
        return cls(options["FusedActivationFunction"])

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shapes and the output's fixed quantization."""
        x, out = inputs[0], outputs[0]
        if self.activation != "NONE":
            yield f"fused activation {self.activation} has no kernel"
        yield from wanted(x, "input", *self.kernels)
        if x is None or x.dtype not in self.kernels:
            return
        yield from wanted(out, "output", x.dtype)
        yield from wanted_shape(x, "input", out.shape)
        if not x.shape:
            yield "a scalar has no last axis"
        elif x.dtype is DType.INT8:
            yield from wanted_quant(x, "input")
            yield from wanted_quant(out, "output")
            if out.quant is not None and (out.scale, out.zero_point) != (1 / 128, 0):
                yield "output must have scale 1/128 and zero point 0"
            if x.shape[-1] > MAX_INT8_DEPTH:
                yield f"rows of {x.shape[-1]:,} overflow the sum (at most {MAX_INT8_DEPTH:,})"

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Sum squares in order; integers by an inverse square root in fixed point."""
        x = inputs[0]
        assert x is not None and values[0] is not None
        rows = values[0].reshape(-1, x.shape[-1])
        if rows.dtype == np.float32:
            with np.errstate(all="ignore"):
                length = np.sqrt(np.add.accumulate(rows * rows, axis=1)[:, -1:])
                length = np.where(length < np.float32(EPSILON), np.float32(EPSILON), length)
                return ((rows / length).reshape(x.shape),)
        centred = rows.astype(np.int64) - x.zero_point
        y = np.empty_like(rows)
        for index, row in enumerate(centred):
            multiplier, shift = inverse_square_root(int((row * row).sum()))
            y[index] = np.clip(requantize(row, multiplier, shift + OUTPUT_BITS), -128, 127)
        return (y.reshape(x.shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the type."""
        x = inputs[0]
        assert x is not None
        depth = x.shape[-1]
        params: dict[str, int | float] = {"rows": x.elements // depth, "depth": depth}
        if x.dtype is DType.INT8:
            params["input_offset"] = -x.zero_point
        return (KernelCall(self.kernels[x.dtype][0], params, (x,), outputs),)


def inverse_square_root(x: int) -> tuple[int, int]:
    """Return ``1 / sqrt(x)`` as a Q0.31 multiplier and a shift, left if positive.

    Source: the five Newton steps from one, in Q3.28, by which TFLite's reference is defined.
    """
    if x <= 1:
        return 2**31 - 1, 0
    right = 11
    while x >= 1 << 29:
        x, right = x // 4, right + 1
    pairs = (32 - x.bit_length() - 1) // 2 - 1
    right -= pairs
    value = np.array((x << 2 * pairs) >> 1, np.int64)  # Q3.28, in [1/4, 1)
    half = rounding_shift_right(value, 1)
    root = np.array(1 << 28, np.int64)
    for _ in range(5):
        cube = high_mul(high_mul(root, root), root) << 6
        root = (high_mul(root, 3 << 27) - high_mul(half, cube)) << 3
    multiplier = int(high_mul(root, 1518500250))  # times sqrt(1/2)
    return (multiplier << max(-right, 0), -max(right, 0))
