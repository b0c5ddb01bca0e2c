"""The integer arithmetic against slow models in numbers of any length."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tinysim.compiler.quantize import (
    activation_range,
    high_mul,
    quantize_multiplier,
    requantize,
    rounding_shift_right,
    wrap_int32,
)

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1

int32s = st.one_of(
    st.integers(INT32_MIN, INT32_MAX),
    st.integers(-(2**20), 2**20),
    st.sampled_from([INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX]),
)
multipliers = st.one_of(
    st.integers(2**30, INT32_MAX), st.integers(0, INT32_MAX), st.just(2**30), st.just(INT32_MAX)
)
shifts = st.one_of(st.integers(-6, 0), st.integers(-31, 30))


def truncated(numerator: int, denominator: int) -> int:
    """C's integer division."""
    quotient = abs(numerator) // denominator
    return quotient if numerator >= 0 else -quotient


def slow_high_mul(a: int, b: int) -> int:
    """SaturatingRoundingDoublingHighMul, word by word."""
    if a == b == INT32_MIN:
        return INT32_MAX
    nudge = 2**30 if a * b >= 0 else 1 - 2**30
    return truncated(a * b + nudge, 2**31)


def slow_shift_right(x: int, exponent: int) -> int:
    """RoundingDivideByPOT: to nearest, halves away from zero."""
    size = abs(Fraction(x, 2**exponent))
    nearest = int(size + Fraction(1, 2))
    return nearest if x >= 0 else -nearest


def slow_wrap(x: int) -> int:
    """What a 32-bit register keeps of ``x``."""
    kept = x % 2**32
    return kept - 2**32 if kept > INT32_MAX else kept


def slow_requantize(acc: int, multiplier: int, shift: int) -> int:
    """MultiplyByQuantizedMultiplier of TFLM's default build, which rounds twice."""
    raised = slow_wrap(acc * 2 ** max(shift, 0))
    return slow_shift_right(slow_high_mul(raised, multiplier), max(-shift, 0))


def requantized(acc: int, multiplier: int, shift: int) -> int:
    return int(requantize(np.array([acc], np.int32), multiplier, shift)[0])


@given(a=int32s, b=int32s)
@example(a=INT32_MIN, b=INT32_MIN)
@example(a=-(2**30), b=1)
def test_high_mul_equals_the_slow_model(a: int, b: int) -> None:
    assert high_mul(np.array([a]), b).tolist() == [slow_high_mul(a, b)]


@given(x=int32s, exponent=st.integers(0, 31))
@example(x=-3, exponent=1)
@example(x=3, exponent=1)
def test_rounding_shift_right_equals_the_slow_model(x: int, exponent: int) -> None:
    assert rounding_shift_right(np.array([x]), exponent).tolist() == [slow_shift_right(x, exponent)]


@given(x=st.integers(-(2**62), 2**62))
def test_wrap_int32_keeps_what_a_register_keeps(x: int) -> None:
    assert wrap_int32(np.array([x])).tolist() == [slow_wrap(x)]


@given(acc=int32s, multiplier=multipliers, shift=shifts)
def test_requantize_equals_the_slow_model(acc: int, multiplier: int, shift: int) -> None:
    assert requantized(acc, multiplier, shift) == slow_requantize(acc, multiplier, shift)


@given(rows=st.lists(st.tuples(int32s, multipliers, shifts), min_size=1, max_size=8))
def test_requantize_of_channels_equals_each_by_itself(rows: list[tuple[int, int, int]]) -> None:
    acc, multiplier, shift = (np.array(column, np.int32) for column in zip(*rows, strict=True))
    assert requantize(acc, multiplier, shift).tolist() == [requantized(*row) for row in rows]


@given(a=int32s, b=int32s, multiplier=st.integers(1, INT32_MAX), shift=shifts)
def test_requantize_is_monotone_in_the_accumulator(
    a: int, b: int, multiplier: int, shift: int
) -> None:
    low, high = sorted(int(x) >> max(shift, 0) for x in (a, b))  # what is raised stays an int32
    assert requantized(low, multiplier, shift) <= requantized(high, multiplier, shift)


@given(
    acc=st.integers(-(2**20), 2**20),
    real=st.floats(2.0**-20, 2.0**10),
)
def test_requantize_is_within_one_of_the_real_product(acc: int, real: float) -> None:
    multiplier, shift = quantize_multiplier(real)
    assume(abs(acc) << max(0, shift) < 2**31)  # beyond, the 32-bit register wraps
    found = requantized(acc, multiplier, shift)
    assert abs(found - acc * Fraction(real)) <= 1


@given(real=st.floats(2.0**-32, 2.0**60))
@example(real=float(np.nextafter(1.0, 0.0)))
@example(real=2.0**-32)
def test_multiplier_and_shift_reconstruct_the_real(real: float) -> None:
    multiplier, shift = quantize_multiplier(real)
    assert 2**30 <= multiplier < 2**31
    assert shift >= -31
    rebuilt = multiplier * Fraction(2) ** (shift - 31)
    assert abs(rebuilt - Fraction(real)) <= Fraction(real) / 2**31


@given(exponent=st.integers(-32, 60))
def test_powers_of_two_are_exact(exponent: int) -> None:
    assert quantize_multiplier(2.0**exponent) == (2**30, exponent + 1)


@given(real=st.floats(0.0, 2.0**-33))
def test_what_would_be_shifted_out_altogether_counts_as_zero(real: float) -> None:
    assert quantize_multiplier(real) == (0, 0)


def test_fraction_that_rounds_up_to_one_carries_into_the_shift() -> None:
    assert quantize_multiplier(1.0 - 2.0**-40) == (2**30, 1)
    # TFLM rounds before it compares the shift: this one just escapes counting as zero.
    assert quantize_multiplier(2.0**-32 * (1.0 - 2.0**-40)) == (2**30, -31)


@pytest.mark.parametrize(
    ("activation", "scale", "zero_point", "expected"),
    [
        ("NONE", 0.5, 17, (-128, 127)),
        ("RELU", 0.5, 10, (10, 127)),
        ("RELU", 0.5, -128, (-128, 127)),
        ("RELU", 0.5, 127, (127, 127)),
        ("RELU6", 0.05, -128, (-128, -8)),
        ("RELU6", 6 / 255, -128, (-128, 127)),
        ("RELU6", 0.01, 0, (0, 127)),
        ("RELU6", 100.0, 3, (3, 3)),
        ("RELU_N1_TO_1", 1 / 128, 0, (-128, 127)),
        ("RELU_N1_TO_1", 0.25, 5, (1, 9)),
        ("RELU_N1_TO_1", 0.25, -128, (-128, -124)),
        ("RELU_N1_TO_1", 0.25, 127, (123, 127)),
    ],
)
def test_activation_leaves_this_range(
    activation: str, scale: float, zero_point: int, expected: tuple[int, int]
) -> None:
    assert activation_range(activation, scale, zero_point) == expected


def test_activation_bound_on_half_a_step_goes_away_from_zero() -> None:
    assert activation_range("RELU_N1_TO_1", 2.0, 0) == (-1, 1)
    assert activation_range("RELU6", 4.0, 0) == (0, 2)


def test_activation_bound_is_divided_in_single_precision() -> None:
    scale = float(np.float32(0.8))  # 6 / scale is 7.4999998 in double, 7.5 in single precision
    assert activation_range("RELU6", scale, 0) == (0, 8)


@given(
    activation=st.sampled_from(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"]),
    scale=st.floats(2.0**-20, 2.0**20, width=32),
    zero_point=st.integers(-128, 127),
)
def test_activation_range_is_a_range_of_int8_that_holds_zero(
    activation: str, scale: float, zero_point: int
) -> None:
    low, high = activation_range(activation, scale, zero_point)
    assert -128 <= low <= zero_point <= high <= 127
