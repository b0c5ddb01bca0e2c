"""Logistic and hyperbolic tangent in the fixed point that TFLite's int8 kernels are defined by."""

from __future__ import annotations

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.quantize import high_mul, rounding_shift_right

ONE = 2**31 - 1  # in Q0.31


def logistic(a: Array) -> Array:
    """Return ``1 / (1 + exp(-a))`` in Q0.31 of ``a`` in Q4.27."""
    positive = _one_over_one_plus(exp_of_negative(-np.abs(a), 4))
    return np.where(a == 0, 1 << 30, np.where(a > 0, positive, ONE - positive))


def tanh(a: Array) -> Array:
    """Return ``tanh(a)`` in Q0.31 of ``a`` in Q4.27, by ``exp(-2 |a|)``."""
    power = exp_of_negative(-np.abs(a), 5)  # the same bits, one more of them integer: doubled
    x = _reciprocal_of_half_sum(power)
    magnitude = np.clip((x - (1 << 29)) << 2, -(2**31), ONE)
    return np.where(a == 0, 0, np.where(a > 0, magnitude, -magnitude))


def exp_of_negative(a: Array, integer_bits: int) -> Array:
    """Return ``exp(a)`` in Q0.31 for ``a <= 0``: a short series, then a barrel of factors."""
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    modulo = (a & (quarter - 1)) - quarter
    result = _exp_near_minus_eighth(modulo << integer_bits)
    remainder = modulo - a
    for exponent in range(-2, integer_bits):
        factor = int(np.floor(np.exp(-(2.0**exponent)) * 2**31 + 0.5))
        bit = (remainder >> (fraction_bits + exponent)) & 1
        result = np.where(bit, high_mul(result, factor), result)
    return np.where(a == 0, ONE, result)


def _exp_near_minus_eighth(a: Array) -> Array:
    """Return ``exp(a)`` in Q0.31 for ``-1/4 <= a < 0`` in Q0.31, by a series around -1/8."""
    constant = 1895147668  # exp(-1/8)
    third = 715827883
    x = a + (1 << 28)
    x2 = high_mul(x, x)
    fourth_over_4 = rounding_shift_right(high_mul(x2, x2), 2)
    tail = high_mul(fourth_over_4 + high_mul(x2, x), third) + x2
    series = x + rounding_shift_right(tail, 1)
    total: Array = constant + high_mul(series, constant)
    return total


def _reciprocal_of_half_sum(a: Array) -> Array:
    """Return ``2 / (1 + a)`` in Q2.29, by three Newton steps."""
    half_sum = (a + ONE + 1) >> 1
    x = 1515870810 + high_mul(half_sum, -1010580540)  # 48/17 - 32/17 * d
    for _ in range(3):
        x = x + (high_mul(x, (1 << 29) - high_mul(half_sum, x)) << 2)
    return x


def _one_over_one_plus(a: Array) -> Array:
    """Return ``1 / (1 + a)`` in Q0.31 for ``a`` in [0, 1)."""
    x = _reciprocal_of_half_sum(a)
    saturated: Array = np.minimum(x << 1, ONE)
    return saturated
