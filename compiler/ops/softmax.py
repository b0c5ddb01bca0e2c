"""SOFTMAX on int8: exponentials from a table made at compile time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

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
from tinysim.compiler.quantize import (
    high_mul,
    quantize_multiplier,
    rounding_shift_right,
    wrap_int32,
)

#: Integer bits of the scaled differences, of the sum of exponentials and of a probability.
DIFF_INTEGER_BITS = 5
SUM_INTEGER_BITS = 12

#: Classes whose exponentials surely add up below the sum's 32 bits.
MAX_DEPTH = 8191


@dataclass(frozen=True)
class Softmax(Operator):
    """``out = exp(beta * x) / sum exp(beta * x)`` over the last axis, in TFLite's fixed point.

    The output is int8 with scale 1/256 and zero point -128.
    """

    tflite = "SOFTMAX"
    kernels = {DType.INT8: ("softmax_s8",)}

    beta: float

    @classmethod
    def from_tflite(cls, options: Options) -> Softmax:
        """Take beta."""
        return cls(options["Beta"])

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and the output's fixed quantization."""
        x, out = inputs[0], outputs[0]
        yield from wanted(x, "input", DType.INT8)
        yield from wanted(out, "output", DType.INT8)
        yield from wanted_quant(x, "input")
        yield from wanted_quant(out, "output")
        yield from wanted_shape(x, "input", out.shape)
        if out.quant is not None and (out.scale, out.zero_point) != (1 / 256, -128):
            yield "output must have scale 1/256 and zero point -128"
        if out.shape and out.shape[-1] > MAX_DEPTH:
            yield f"{out.shape[-1]} classes overflow the sum of exponentials (at most {MAX_DEPTH})"
        if not (np.isfinite(self.beta) and self.beta > 0):
            yield f"beta is {self.beta}"
        elif x is not None and x.quant and not _scale_is_usable(self.beta * x.scale):
            yield f"beta * scale is {self.beta * x.scale:g}, too small for 32-bit fixed point"

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Look exponentials up, sum, multiply by the reciprocal."""
        assert values[0] is not None
        table = self.lower(inputs, outputs)[0].constants[0].astype(np.int64)
        x = values[0].astype(np.int32).reshape(-1, outputs[0].shape[-1])
        distance = x.max(axis=1, keepdims=True) - x
        known = distance < len(table)
        exps = np.where(known, table[np.minimum(distance, len(table) - 1)], 0)
        total = np.where(known, rounding_shift_right(exps, SUM_INTEGER_BITS), 0).sum(axis=1)
        y = np.full(x.shape, -128, np.int64)
        for row, sum_ in enumerate(total.tolist()):
            bits_over_unit, scale = _reciprocal(sum_)
            q = rounding_shift_right(high_mul(exps[row], scale), bits_over_unit + 31 - 8) - 128
            y[row] = np.where(known[row], np.clip(q, -128, 127), -128)
        return (y.astype(np.int8).reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Make the table of ``exp(-distance)`` in Q0.31 for each distance that is not 0."""
        x, out = inputs[0], outputs[0]
        assert x is not None
        table = exp_table(self.beta * x.scale)
        depth = out.shape[-1]
        params = {"rows": out.elements // depth, "depth": depth, "table_length": len(table)}
        return (KernelCall("softmax_s8", params, (x,), outputs, (table,)),)


@lru_cache
def exp_table(beta_scale: float) -> Array:
    """Return ``exp(-distance * beta_scale)`` in Q0.31, as long as TFLite counts it at all."""
    real = min(beta_scale * 2 ** (31 - DIFF_INTEGER_BITS), 2**31 - 1.0)
    multiplier, left_shift = quantize_multiplier(real)
    radius = (2**DIFF_INTEGER_BITS - 1) * 2 ** (31 - DIFF_INTEGER_BITS) / 2**left_shift
    distance = np.arange(min(int(radius), 255) + 1, dtype=np.int64)
    raised = wrap_int32(-distance << max(left_shift, 0))
    diff = rounding_shift_right(high_mul(raised, multiplier), max(-left_shift, 0))
    return _exp_on_negative_values(diff).astype(np.int32)


def _scale_is_usable(beta_scale: float) -> bool:
    """Tell whether the multiplier is at least one, which TFLite requires."""
    return bool(beta_scale * 2 ** (31 - DIFF_INTEGER_BITS) > 1.0)


def _exp_on_negative_values(a: Array) -> Array:
    """Return ``exp(a)`` in Q0.31 for ``a <= 0`` in Q5.26: a short series, then a barrel of factors.

    Source: the fixed-point exponential that TFLite's reference softmax is defined by.
    """
    fraction_bits = 31 - DIFF_INTEGER_BITS
    quarter = 1 << (fraction_bits - 2)
    modulo = (a & (quarter - 1)) - quarter
    result = _exp_near_minus_eighth(modulo << DIFF_INTEGER_BITS)
    remainder = modulo - a
    for exponent in range(-2, DIFF_INTEGER_BITS):
        factor = int(np.floor(np.exp(-(2.0**exponent)) * 2**31 + 0.5))
        bit = (remainder >> (fraction_bits + exponent)) & 1
        result = np.where(bit, high_mul(result, factor), result)
    return np.where(a == 0, 2**31 - 1, result)


def _exp_near_minus_eighth(a: Array) -> Array:
    """Return ``exp(a)`` in Q0.31 for ``-1/4 <= a < 0`` in Q0.31, by a series around -1/8."""
    constant = 1895147668  # exp(-1/8) in Q0.31
    third = 715827883  # 1/3 in Q0.31
    x = a + (1 << 28)
    x2 = high_mul(x, x)
    x3 = high_mul(x2, x)
    x4 = high_mul(x2, x2)
    x4_over_4 = rounding_shift_right(x4, 2)
    series = rounding_shift_right(high_mul(x4_over_4 + x3, third) + x2, 1)
    product: Array = high_mul(np.full_like(x, constant), x + series)
    return constant + product


def _reciprocal(sum_: int) -> tuple[int, int]:
    """Return how many bits ``sum_`` (Q12.19) stands above one, and its reciprocal in Q0.31."""
    headroom = 32 - sum_.bit_length()
    minus_one = wrap_int32(np.array([(sum_ << headroom) - 2**31]))
    return SUM_INTEGER_BITS - headroom, int(_one_over_one_plus(minus_one)[0])


def _one_over_one_plus(a: Array) -> Array:
    """Return ``1 / (1 + a)`` in Q0.31 for ``a`` in [0, 1), by three Newton steps."""
    half_sum = (a + 2**31 - 1 + 1) >> 1  # rounding half sum of a and one
    x = 1515870810 + high_mul(half_sum, -1010580540)  # 48/17 - 32/17 * d, in Q2.29
    for _ in range(3):
        error = (1 << 29) - high_mul(half_sum, x)
        x = x + (high_mul(x, error) << 2)
    saturated: Array = np.minimum(x << 1, 2**31 - 1)
    return saturated
