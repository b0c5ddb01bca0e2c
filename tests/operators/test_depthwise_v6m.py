"""DEPTHWISE_CONV_2D on Armv6-M: the tuned kernels on the board against the reference."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case
from tests.operators.on_board import assert_on_board
from tests.operators.weights import PADDINGS, Draw, images, layers, steps
from tests.tflite_models import Pair

BOARD = "generic_m0plus"
examples = settings(
    deadline=None, max_examples=4, suppress_health_check=list(HealthCheck), database=None
)


@st.composite
def convolutions(
    draw: Draw,
    window: Pair,
    strides: st.SearchStrategy[Pair],
    activations: st.SearchStrategy[str],
    dilations: st.SearchStrategy[Pair],
) -> Case:
    dilation, padding = draw(dilations), draw(PADDINGS)
    x = draw(images("int8", window, dilation, padding, draw(st.integers(1, 6))))
    shape = (1, *window, x.shape[3] * draw(st.sampled_from([1, 1, 2])))
    model = models.depthwise_conv_2d(
        x,
        *draw(layers("int8", x, shape, axis=3, needs_bias=True)),
        padding=padding,
        stride=draw(strides),
        dilation=dilation,
        activation=draw(activations),
    )
    return draw(steps(model, x))


def threes() -> st.SearchStrategy[Case]:
    """Filters of 3 x 3 as the special kernel takes them; each kind of stride along each axis."""
    strides = st.tuples(st.integers(1, 4), st.integers(1, 2)) | st.tuples(
        st.integers(1, 2), st.integers(1, 3)
    )
    return convolutions((3, 3), strides, st.sampled_from(["RELU", "RELU6"]), st.just((1, 1)))


def test_three_by_three() -> None:
    taken = 0

    @examples
    @given(cases=st.lists(threes(), min_size=12, max_size=12))
    def check(cases: list[Case]) -> None:
        nonlocal taken
        taken += len(assert_on_board(cases, BOARD, "depthwise_3x3_s8_v6m"))

    check()
    assert taken >= 16
