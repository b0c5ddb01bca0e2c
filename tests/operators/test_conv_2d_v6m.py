"""CONV_2D on Armv6-M, against the numpy reference, in the emulator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case
from tests.operators.on_board import assert_on_board
from tests.operators.test_conv_2d import convolutions
from tests.operators.weights import ACTIVATIONS, PADDINGS, STEPS, Draw, layers, steps
from tinysim.compiler.graph import Array
from tinysim.compiler.variants._matrix_v6m import is_packable, padded

BOARD = "generic_m0plus"
BOARDS = (BOARD, "generic_m0", "generic_m3")
NAME = "conv_2d_s8_v6m"
examples = settings(deadline=None, max_examples=3, suppress_health_check=list(HealthCheck))


@st.composite
def whole(draw: Draw) -> Case:
    """Shapes that networks have: many channels, small windows."""
    window = draw(st.sampled_from([(1, 1), (1, 1), (3, 3), (5, 1)]))
    growth = draw(st.sampled_from([1, 2, 5, 8, 16]))
    channels = draw(st.sampled_from([1, 2, 3, 4, 7, 8, 16, 20, 32]))
    size = [low + draw(st.integers(0, 4)) for low in window]
    x = models.int8((1, *size, channels), 0.5, draw(st.sampled_from([-128, 0, 127, -3])))
    model = models.conv_2d(
        x,
        *draw(layers("int8", x, (growth, *window, channels), axis=0)),
        padding=draw(PADDINGS),
        stride=draw(STEPS),
        dilation=(1, 1),
        activation=draw(ACTIVATIONS),
    )
    return draw(steps(model, x))


@pytest.mark.parametrize("strategy", [whole, lambda: convolutions("int8")])
def test_equals_the_reference(strategy: Callable[[], st.SearchStrategy[Case]]) -> None:
    taken = 0

    @examples
    @given(cases=st.lists(strategy(), min_size=12, max_size=12))
    def check(cases: list[Case]) -> None:
        nonlocal taken
        taken += len(assert_on_board(cases, BOARD, NAME))

    check()
    assert taken > 3


def layer(weights: Array, scale: float, activation: str, zero_point: int = -128) -> Case:
    """A layer whose inputs are the largest that there are, and others."""
    rng = np.random.default_rng(1)
    channels, _, _, depth = weights.shape
    x = models.int8((1, 3, 5, depth), 0.5, -7)
    filter_ = models.constant(weights.astype(np.int8), (scale,) * channels, axis=0)
    bias = models.constant(rng.integers(-3000, 3000, channels, np.int32))
    model = models.conv_2d(
        x, filter_, bias, models.int8((), 1 / 50, zero_point),
        padding="VALID", stride=(1, 1), dilation=(1, 1), activation=activation,
    )  # fmt: skip
    values = rng.choice(np.array([-128, 127], np.int8), (3, 1, 3, 5, depth))
    values[2] = rng.integers(-128, 127, values[2].shape, np.int8, endpoint=True)
    return Case(model, tuple((value,) for value in values))


@pytest.mark.parametrize("board", BOARDS)
def test_extremes(board: str) -> None:
    rng = np.random.default_rng(2)
    ends = rng.choice(np.array([-127, 127]), (7, 1, 1, 22))
    largest = np.full((3, 1, 1, 9), 127)
    smallest = np.full((3, 1, 1, 12), -127)
    smallest[:, :, :, ::2] = -128
    deep = np.full((4, 1, 1, 300), 127)
    deep[1] *= -1
    cases = [
        layer(ends, 2.0**-9, "RELU"),
        layer(ends, 2.0**-9, "NONE", 3),
        layer(ends, 2.0**-11, "RELU6", -90),
        layer(largest, 2.0**-9, "NONE", 127),
        layer(smallest, 2.0**-9, "RELU_N1_TO_1", 0),
        layer(deep, 2.0**-15, "NONE", 0),  # accumulators beyond 2^21
    ]
    assert len(assert_on_board(cases, board, NAME)) == len(cases)


def test_what_is_not_exact_is_left_to_the_portable_kernel() -> None:
    cases = [
        layer(np.full((2, 1, 1, 4), -128), 2.0**-9, "NONE"),
        layer(np.full((2, 1, 1, 4), 5), 2.0, "NONE"),
    ]
    assert assert_on_board(cases, BOARD, NAME) == {}


def test_pairs_of_the_smallest_weight_do_not_fit() -> None:
    assert is_packable(padded(np.array([[-128, 3, -127, -128, -128]])))
    assert not is_packable(padded(np.array([[0, 0, -128, -128, 0]])))


def test_images_after_one_that_ends_within_four_pixels() -> None:
    rng = np.random.default_rng(4)
    x = models.int8((3, 1, 9, 5), 0.5, -7)
    weights = rng.integers(-40, 40, (6, 1, 3, 5), np.int8)
    model = models.conv_2d(
        x, models.constant(weights, (2.0**-9,) * 6, axis=0), None, models.int8((), 1 / 50, 3),
        padding="SAME", stride=(1, 1), dilation=(1, 1), activation="NONE",
    )  # fmt: skip
    case = Case(model, ((rng.integers(-128, 127, x.shape, np.int8, endpoint=True),),))
    assert len(assert_on_board([case], BOARD, NAME)) == 1


@pytest.mark.parametrize("window", [(1, 1), (2, 3)])
def test_filters_that_see_the_whole_image_are_rows(window: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    x = models.int8((2, *window, 12), 0.5, -7)
    weights = rng.integers(-40, 40, (6, *window, 12), np.int8)
    model = models.conv_2d(
        x, models.constant(weights, (2.0**-9,) * 6, axis=0), None, models.int8((), 1 / 50, 3),
        padding="VALID", stride=(1, 1), dilation=(1, 1), activation="NONE",
    )  # fmt: skip
    case = Case(model, ((rng.integers(-128, 127, x.shape, np.int8, endpoint=True),),))
    for name in (NAME, "fully_connected_s8_v6m"):
        assert len(assert_on_board([case], BOARD, name)) == 1
