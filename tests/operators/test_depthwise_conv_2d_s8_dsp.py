"""The tuned DEPTHWISE_CONV_2D of the cores with DSP, on emulated boards."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case
from tests.operators.on_board import assert_on_board
from tests.operators.weights import ACTIVATIONS, ZERO_POINTS, Draw, layers, steps
from tests.tflite_models import Pair

#: One firmware an example: shrinking would build hundreds.
few = settings(
    deadline=None,
    max_examples=4,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)

WIDTHS = st.integers(1, 13)
BOARDS = ["generic_m4", "generic_m33", "generic_m7"]


@st.composite
def depthwise(
    draw: Draw,
    windows: st.SearchStrategy[Pair],
    strides: st.SearchStrategy[Pair],
    widths: st.SearchStrategy[int] = WIDTHS,
) -> Case:
    """A layer whose requantization has the short form more often than not."""
    window, stride, dilation = draw(windows), draw(strides), (1, 1)
    if window != (3, 3):
        dilation = (1, draw(st.sampled_from([1, 1, 2])))
    height, width = draw(st.integers(1, 15)), draw(widths)
    padding = draw(st.sampled_from(["SAME", "SAME", "VALID"]))
    if padding == "VALID":
        height, width = height + window[0] - 1, width + (window[1] - 1) * dilation[1]
    shape = (draw(st.sampled_from([1, 1, 2])), height, width, draw(st.integers(4, 9)))
    x = models.int8(shape, draw(st.sampled_from([0.01, 0.5])), draw(ZERO_POINTS))
    outputs = shape[3] * draw(st.sampled_from([1, 1, 1, 2, 3]))
    filter_ = (1, *window, outputs)
    model = models.depthwise_conv_2d(
        x,
        *draw(layers("int8", x, filter_, axis=3, needs_bias=True)),
        padding=padding,
        stride=stride,
        dilation=dilation,
        activation=draw(ACTIVATIONS),
    )
    return draw(steps(model, x))


def check_on_board(layer: st.SearchStrategy[Case], board: str, name: str, least: int) -> None:
    """Compute layers by the candidate; at least so many of them must be for it."""
    taken = 0

    @few
    @given(st.lists(layer, min_size=8, max_size=8))
    def check(cases: list[Case]) -> None:
        nonlocal taken
        taken += len(assert_on_board(cases, board, name))

    check()
    assert taken >= least, f"{name} was taken for {taken} layers only"


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("stride", [1, 2])
def test_3x3_equals_reference(board: str, stride: int) -> None:
    layer = depthwise(st.just((3, 3)), st.just((stride, stride)))
    check_on_board(layer, board, "depthwise_conv_2d_s8_dsp", 12)


@pytest.mark.parametrize("board", BOARDS)
def test_any_equals_reference(board: str) -> None:
    sides = st.integers(1, 5)
    layer = depthwise(st.tuples(sides, sides), st.tuples(st.integers(1, 4), st.integers(1, 4)))
    check_on_board(layer, board, "depthwise_conv_2d_s8_any_dsp", 12)


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("widths", [[1], range(1, 13)])
def test_rows_equals_reference(board: str, widths: Sequence[int]) -> None:
    columns = st.tuples(st.integers(1, 15), st.just(1))
    windows = st.one_of(columns, st.tuples(st.integers(1, 5), st.integers(1, 4)))
    layer = depthwise(windows, st.tuples(st.just(1), st.integers(1, 3)), st.sampled_from(widths))
    check_on_board(layer, board, "depthwise_conv_2d_s8_rows_dsp", 12)


@st.composite
def covering(draw: Draw) -> Case:
    """A layer whose filter covers the image."""
    window = (draw(st.integers(1, 15)), draw(st.integers(1, 3)))
    shape = (draw(st.integers(1, 2)), *window, draw(st.integers(4, 11)))
    x = models.int8(shape, 0.1, draw(ZERO_POINTS))
    filter_ = (1, *window, shape[3])
    model = models.depthwise_conv_2d(
        x,
        *draw(layers("int8", x, filter_, axis=3, needs_bias=True)),
        padding="VALID",
        stride=(1, 1),
        dilation=(1, 1),
        activation=draw(ACTIVATIONS),
    )
    return draw(steps(model, x))


@pytest.mark.parametrize("board", BOARDS)
def test_one_equals_reference(board: str) -> None:
    check_on_board(covering(), board, "depthwise_conv_2d_s8_one_dsp", 12)
