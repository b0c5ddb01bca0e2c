"""The requantization of the Armv6-M kernels: its digits, and when it says that they are exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinysim.compiler.graph import Array, DType, Quant, Tensor
from tinysim.compiler.ops import CHANNEL, KernelCall
from tinysim.compiler.quantize import requantize, wrap_int32
from tinysim.compiler.variants._requantize_v6m import (
    V6mChannels,
    accumulator_range,
    v6m_channels,
)

ALL = (-128, 127)


def call(
    bias: Any, multiplier: Any, shift: Any, zero_point: int, limits: tuple[int, int]
) -> KernelCall:
    columns = np.broadcast_arrays(bias, multiplier, shift)
    table = np.zeros(len(columns[0]), CHANNEL)
    for name, column in zip(("bias", "multiplier", "shift"), columns, strict=True):
        table[name] = column
    params = {
        "input_offset": 3,
        "filter_offset": 0,
        "output_offset": zero_point,
        "rounding": 0,
        "activation_min": limits[0],
        "activation_max": limits[1],
    }
    x = Tensor(0, "x", (1,), DType.INT8, Quant((1.0,), (0,)))
    return KernelCall("conv_2d_s8", params, (x,), (x,), (np.zeros(1, np.int8), table))


def computed(channels: V6mChannels, acc: Array) -> Array:
    """Do what the instructions do, in registers of 32 bits."""

    low, high = channels.low.astype(np.int64), channels.high.astype(np.int64)
    third = ((low & 0xFFFF) ^ 0x8000) - 0x8000
    scaled = wrap_int32(acc * third) >> 10
    scaled = wrap_int32(scaled + wrap_int32(acc * (low >> 16))) >> 11
    scaled = wrap_int32(scaled + wrap_int32(acc * (high >> 16)))
    scaled = (scaled >> 10) + ((scaled >> 9) & 1) - (acc < 0)
    shift = high & 0xFF
    carry = (scaled >> (shift - 1)) & 1
    outputs: Array = np.clip((scaled >> shift) + carry + channels.offset, 0, 255) - 128
    return outputs


@pytest.mark.parametrize("limits", [ALL, (-10, 127), (-128, 20)])
@pytest.mark.parametrize("terms", [1, 9, 64, 600])
def test_equals_the_reference(terms: int, limits: tuple[int, int]) -> None:
    random = np.random.default_rng(terms)
    count = 0
    for _ in range(60):
        size = 8
        weights = random.integers(-127, 128, (size, terms)) // random.choice([1, 4, 60])
        multiplier = random.choice([2**30, 2**31 - 1, 0, *random.integers(2**30, 2**31, 9)], size)
        shift = -random.integers(1, random.choice([4, 12, 31]), size)
        bias = random.integers(-20_000, 20_000, size)
        zero_point = int(random.integers(limits[0], limits[1] + 1))
        portable = call(bias, multiplier, shift, zero_point, limits)
        channels = v6m_channels(portable, weights)
        if channels is None:
            assert terms == 600, "what real layers sum up fits"
            continue
        count += 1
        least, most = accumulator_range(channels.weights, channels.bias)
        spread = random.integers(least, most + 1, (4000, size))
        near = np.clip(np.arange(-500, 500)[:, None], least, most)
        acc = np.concatenate([spread, near, least[None], most[None]])
        if channels.limit:
            acc = np.clip(acc, -channels.limit, channels.limit)
        is_kept = channels.weights.any(axis=1)
        expected = np.clip(requantize(acc, multiplier, shift) + zero_point, *limits)
        got = np.clip(computed(channels, acc), *limits)
        np.testing.assert_array_equal(got[:, is_kept], expected[:, is_kept])
    assert count > 30


def test_constant_channels_keep_their_value() -> None:
    portable = call(
        [2**30, -(2**30), 100, 5], [2**30, 2**31 - 1, 0, 2**30], [-28, -5, 0, -1], 7, ALL
    )
    weights = np.array([[1, 2], [127, -127], [9, 9], [100, -3]])
    channels = v6m_channels(portable, weights)
    assert channels is not None
    assert channels.weights.any(axis=1).tolist() == [False, False, False, True]
    assert computed(channels, channels.bias)[:3].tolist() == [9, -128, 7]


def test_sums_beyond_the_digits_are_clamped() -> None:
    weights = np.full((2, 300), 127)
    found = v6m_channels(call([0, 0], 2**31 - 1, -11, 0, ALL), weights)
    assert found is not None and found.limit > 0
    assert v6m_channels(call([0, 0], 2**31 - 1, -16, 0, ALL), weights) is None
    found = v6m_channels(call([0, 0], 2**31 - 1, -11, 0, ALL), weights[:, :90])
    assert found is not None and found.limit == 0


def test_what_is_not_exact_is_refused() -> None:
    weights = np.array([[100, 100]])
    assert v6m_channels(call([0], 2**30, 0, 0, ALL), weights) is None
    assert v6m_channels(call([0], 2**30, 1, 0, ALL), weights) is None
    assert v6m_channels(call([0], 2**30, -1, 0, ALL), weights) is not None
    once = call([0], 2**30, -5, 0, ALL)
    once.params["rounding"] = 1  # type: ignore[index]
    assert v6m_channels(once, weights) is None
