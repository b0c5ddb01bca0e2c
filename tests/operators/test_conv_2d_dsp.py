"""CONV_2D with the DSP instructions, against the numpy reference, in the emulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case
from tests.operators.on_board import assert_on_board, tuned_call
from tests.operators.test_conv_2d import convolutions
from tests.operators.weights import (
    ACTIVATIONS,
    PADDINGS,
    STEPS,
    Draw,
    layers,
    steps,
    with_zero_point,
)
from tests.tflite_models import TensorSpec
from tinysim.compiler.variants import conv_2d_s8_dsp as variant
from tinysim.compiler.variants._matrix import grouped, is_packable, padded_rows, stream

NAME = "conv_2d_s8_dsp"
examples = settings(deadline=None, max_examples=3, suppress_health_check=list(HealthCheck))


def converted(filter_: TensorSpec) -> TensorSpec:
    """Return a filter as converters make them: without -128."""
    assert filter_.data is not None
    return replace(filter_, data=np.maximum(filter_.data, -127))


@st.composite
def whole(draw: Draw) -> Case:
    """Shapes that networks have: many channels, small windows."""
    window = draw(st.sampled_from([(1, 1), (1, 1), (3, 3), (5, 1)]))
    growth = draw(st.sampled_from([1, 3, 4, 5, 8, 15, 16, 20]))
    channels = draw(st.sampled_from([1, 2, 3, 4, 7, 8, 16, 20, 32]))
    size = [low + draw(st.integers(0, 4)) for low in window]
    x = models.int8((1, *size, channels), 0.5, draw(st.sampled_from([-128, 0, 127, -3])))
    filter_, bias, out = draw(layers("int8", x, (growth, *window, channels), axis=0))
    model = models.conv_2d(
        x,
        draw(st.sampled_from([filter_, converted(filter_)])),
        bias,
        out,
        padding=draw(PADDINGS),
        stride=draw(STEPS),
        dilation=(1, 1),
        activation=draw(ACTIVATIONS),
    )
    return draw(steps(model, x))


@st.composite
def sliding(draw: Draw) -> Case:
    """Windows that move pixel by pixel over whole groups of channels, padding on any side."""
    window = draw(st.sampled_from([(3, 3), (1, 3), (3, 1), (5, 2), (2, 5)]))
    channels, growth = draw(st.sampled_from([16, 16, 32, 64])), 4 * draw(st.integers(1, 5))
    size = [2 * low - 1 + draw(st.integers(0, 4)) for low in window]
    x = models.int8((draw(st.integers(1, 2)), *size, channels), 0.5, draw(st.integers(-128, 127)))
    activation = draw(st.sampled_from(["NONE", "RELU"]))
    filter_, bias, out = draw(layers("int8", x, (growth, *window, channels), axis=0))
    model = models.conv_2d(
        x,
        converted(filter_),
        bias,
        with_zero_point(out, -128) if activation == "RELU" else out,
        padding=draw(PADDINGS),
        stride=(draw(st.integers(1, 2)), 1),
        dilation=(draw(st.integers(1, 2)), 1),
        activation=activation,
    )
    return draw(steps(model, x))


def many(strategy: st.SearchStrategy[Case]) -> st.SearchStrategy[list[Case]]:
    """Cases for one firmware."""
    return st.lists(strategy, min_size=12, max_size=12)


@pytest.mark.parametrize("board", ["generic_m4", "generic_m7", "generic_m33"])
@pytest.mark.parametrize("strategy", [whole, lambda: convolutions("int8")])
def test_equals_the_reference(board: str, strategy: Callable[[], st.SearchStrategy[Case]]) -> None:
    taken = 0

    @examples
    @given(cases=many(strategy()))
    def check(cases: list[Case]) -> None:
        nonlocal taken
        taken += len(assert_on_board(cases, board, NAME))

    check()
    assert taken > 3


@pytest.mark.parametrize("board", ["generic_m4", "generic_m7"])
def test_rows_equal_the_reference(board: str) -> None:
    taken = 0

    @examples
    @given(cases=many(sliding()))
    def check(cases: list[Case]) -> None:
        nonlocal taken
        taken += len(assert_on_board(cases, board, "conv_2d_s8_dsp_rows"))

    check()
    assert taken > 3


@pytest.mark.parametrize(
    ("least", "most", "scale", "activation", "worker"),
    [
        (-127, 127, 2.0**-9, "RELU", variant.WHOLE),
        (-127, 127, 2.0**-9, "NONE", variant.WHOLE),
        (-127, 127, 2.0**-9, "RELU6", variant.CLAMP),
        (-127, 127, 1.0, "NONE", variant.SUMS),
        (-128, -128, 2.0**-9, "NONE", variant.WIDE),
    ],
)
def test_every_worker(least: int, most: int, scale: float, activation: str, worker: int) -> None:
    rng = np.random.default_rng(1)
    x = models.int8((1, 5, 5, 16), 0.5, -7)
    weights = rng.integers(least, most, (8, 1, 1, 16), np.int8, endpoint=True)
    filter_ = models.constant(weights, (scale,) * 8, axis=0)
    bias = models.constant(rng.integers(-(2**31), 2**31, 8).astype(np.int32))
    model = models.conv_2d(
        x, filter_, bias, models.int8((), 1 / 50, -128 if activation == "RELU" else 3),
        padding="VALID", stride=(1, 1), dilation=(1, 1), activation=activation,
    )  # fmt: skip
    values = rng.integers(-128, 127, (1, 5, 5, 16), np.int8, endpoint=True)
    assert tuned_call(model, "generic_m4", NAME).params["worker"] == worker
    assert assert_on_board([Case(model, ((values,),))], "generic_m4", NAME)


def test_groups_overlap_where_the_last_is_not_full() -> None:
    assert grouped(6, True).tolist() == [[0, 1, 2, 3], [2, 3, 4, 5]]
    assert grouped(6, False).tolist() == [[0, 1, 2, 3], [4, 5, -1, -1]]


def test_a_half_holds_two_weights() -> None:
    groups = grouped(4, False)
    usual = np.full((4, 4), 127)
    assert is_packable(usual, groups)
    assert is_packable(np.array([[-127], [-128]] * 2).repeat(4, axis=1), groups)
    assert not is_packable(np.full((4, 4), -128), groups)  # 256 * -128 - 128
    assert not is_packable(np.full((4, 600), 127), groups)  # the sum of A needs 24 bits


def test_the_stream_begins_with_the_biases_of_b_and_d() -> None:
    weights = padded_rows(np.arange(12).reshape(4, 3))
    words = stream(weights, np.array([10, 11, 12, 13]), grouped(4, False), None)
    assert words.tolist()[:2] == [11, 13]
    assert words[2] == (256 * 0 + 3) + ((256 * 2 + 5) << 16)  # k = 0 and 2 of A and B
    assert words.tolist()[-2:] == [10, 12]
