"""The tuned DEPTHWISE_CONV_2D of the cores with DSP, on emulated boards."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case
from tests.operators.on_board import assert_on_board
from tests.operators.weights import ACTIVATIONS, ZERO_POINTS, Draw, layers, steps

#: One firmware an example: shrinking would build hundreds.
few = settings(
    deadline=None,
    max_examples=4,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)

BOARDS = ["generic_m4", "generic_m33", "generic_m7"]


@st.composite
def depthwise(
    draw: Draw, window: tuple[int, int], stride: tuple[int, int], channels: st.SearchStrategy[int]
) -> Case:
    """A layer whose requantization has the short form more often than not."""
    height, width = draw(st.integers(1, 15)), draw(st.integers(1, 15))
    padding = draw(st.sampled_from(["SAME", "SAME", "VALID"]))
    if padding == "VALID":
        height, width = height + window[0] - 1, width + window[1] - 1
    shape = (draw(st.sampled_from([1, 1, 2])), height, width, draw(channels))
    x = models.int8(shape, draw(st.sampled_from([0.01, 0.5])), draw(ZERO_POINTS))
    outputs = shape[3] * draw(st.sampled_from([1, 1, 1, 2, 3]))
    filter_ = (1, *window, outputs)
    model = models.depthwise_conv_2d(
        x,
        *draw(layers("int8", x, filter_, axis=3, needs_bias=True)),
        padding=padding,
        stride=stride,
        dilation=(1, 1),
        activation=draw(ACTIVATIONS),
    )
    return draw(steps(model, x))


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("stride", [1, 2])
def test_3x3_equals_reference(board: str, stride: int) -> None:
    taken = 0

    @few
    @given(st.lists(depthwise((3, 3), (stride, stride), st.integers(4, 9)), min_size=8, max_size=8))
    def check(cases: list[Case]) -> None:
        nonlocal taken
        taken += len(assert_on_board(cases, board, "depthwise_conv_2d_s8_dsp"))

    check()
    assert taken > 6, "the kernel was hardly ever taken"
