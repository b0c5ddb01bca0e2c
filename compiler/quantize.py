"""The integer arithmetic of quantized inference, as TFLite's reference kernels define it.

The same arithmetic stands in C in ``kernels/quant.h``; tests hold the two against each other and
against the reference interpreter.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Split a real multiplier into a Q0.31 ``multiplier`` and a ``shift``.

    Parameters
    ----------
    real
        ``input_scale * filter_scale / output_scale``, not negative.

    Returns
    -------
    multiplier : int
        In ``[2**30, 2**31)``, or 0.
    shift : int
        Left if positive: ``real ~= multiplier * 2**(shift - 31)``.
    """
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = _round_half_away(fraction * 2**31)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    if shift < -31:
        return 0, 0
    return multiplier, shift


def requantize(acc: Ints, multiplier: Ints | int, shift: Ints | int) -> Ints:
    """Scale int32 accumulators by Q0.31 multipliers, rounding twice as the reference does."""
    left = np.maximum(shift, 0)
    right = np.maximum(np.negative(shift), 0)
    return rounding_shift_right(
        high_mul(wrap_int32(acc.astype(np.int64) << left), multiplier), right
    )


#: How the kernels round what they scale, by name; the numbers stand in ``kernels/quant.h`` too.
ROUNDINGS = {"double": 0, "single": 1, "float": 2}


def requantize_as(acc: Ints, multiplier: Ints | int, shift: Ints | int, rounding: int) -> Ints:
    """Scale int32 accumulators with the rounding of one of ``ROUNDINGS``."""
    return (requantize, requantize_once, requantize_float)[rounding](acc, multiplier, shift)


def requantize_once(acc: Ints, multiplier: Ints | int, shift: Ints | int) -> Ints:
    """Scale int32 accumulators by Q0.31 multipliers, rounding once, halves up; shift <= 30."""
    product = acc.astype(np.int64) * np.asarray(multiplier, np.int64)
    right = 31 - np.asarray(shift, np.int64)
    return wrap_int32((product + (np.int64(1) << (right - 1))) >> right)


def requantize_float(acc: Ints, multiplier: Ints | int, shift: Ints | int) -> Ints:
    """Scale int32 accumulators by floats that were split, in single precision, halves to even."""
    scale = np.ldexp(np.asarray(multiplier, np.float32), np.asarray(shift, np.int32) - 31)
    product = acc.astype(np.float32) * scale.astype(np.float32)
    rounded = np.rint(product).astype(np.float64)
    limited: Ints = np.clip(rounded, -(2**31), 2**31 - 1).astype(np.int64)
    return limited


def reduced_multiplier(multiplier: int) -> int:
    """Return the 15 bits of a Q0.31 multiplier that 64-bit accumulators are scaled by."""
    return min((multiplier + 2**15) >> 16, 2**15 - 1)


def requantize_wide(acc: Ints, reduced: Ints | int, shift: Ints | int) -> Ints:
    """Scale int64 accumulators by Q0.15 multipliers, rounding once, halves up; shift <= 8."""
    product = acc.astype(np.int64) * np.asarray(reduced, np.int64)
    right = 15 - np.asarray(shift, np.int64)
    with np.errstate(over="ignore"):
        return wrap_int32((product + (np.int64(1) << (right - 1))) >> right)


def high_mul(a: Ints, b: Ints | int) -> Ints:
    """Return the rounded high half of ``2 * a * b`` (saturating, doubling), of int32 values."""
    product = a.astype(np.int64) * np.asarray(b, np.int64)
    high = (product + (1 << 30)) >> 31
    saturated: Ints = np.minimum(high, 2**31 - 1)
    return saturated


def rounding_shift_right(x: Ints, exponent: Ints | int) -> Ints:
    """Divide by a power of two, rounding half away from zero."""
    exponent = np.asarray(exponent, np.int64)
    mask = (np.int64(1) << exponent) - 1
    threshold = (mask >> 1) + (x < 0)
    shifted: Ints = (x >> exponent) + ((x & mask) > threshold)
    return shifted


def wrap_int32(x: Ints) -> Ints:
    """Reduce modulo 2**32 to int32's range, as a 32-bit register does."""
    return ((x + 2**31) & 0xFFFF_FFFF) - 2**31


#: The real numbers between which a fused activation leaves the output.
_BOUNDS: dict[str, tuple[float | None, float | None]] = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}


def activation_range(
    activation: str, scale: float, zero_point: int, bits: int = 8
) -> tuple[int, int]:
    """Return the range of a signed type of ``bits`` that a fused activation leaves."""
    low, high = _BOUNDS[activation]
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    lowest = least if low is None else max(least, zero_point + _steps(low, scale))
    highest = most if high is None else min(most, zero_point + _steps(high, scale))
    return lowest, highest


def float_activation_range(activation: str) -> tuple[float, float]:
    """Return the range of floats that a fused activation leaves; infinities never pass."""
    low, high = _BOUNDS[activation]
    most = float(np.finfo(np.float32).max)
    return -most if low is None else low, most if high is None else high


def _steps(real: float, scale: float) -> int:
    """Return how many steps of ``scale`` a real number is, divided in single precision."""
    with np.errstate(over="ignore", divide="ignore"):
        steps = float(np.float32(real) / np.float32(scale))
    return _round_half_away(min(max(steps, -(2.0**31)), 2.0**31))


def _round_half_away(x: float) -> int:
    """Round to nearest, halves away from zero, as C's ``round``."""
    return math.floor(x + 0.5) if x >= 0 else math.ceil(x - 0.5)
