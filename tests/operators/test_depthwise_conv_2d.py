"""DEPTHWISE_CONV_2D against TFLM."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree
from tests.operators.weights import (
    ACTIVATIONS,
    PADDINGS,
    PAIRS,
    STEPS,
    Draw,
    images,
    layers,
    steps,
)

examples = settings(deadline=None, max_examples=25)


@st.composite
def convolutions(draw: Draw, kind: str) -> Case:
    window, dilation, padding = draw(PAIRS), draw(STEPS), draw(PADDINGS)
    x = draw(images(kind, window, dilation, padding, draw(st.integers(1, 6))))
    shape = (1, *window, x.shape[3] * draw(st.integers(1, 3)))
    model = models.depthwise_conv_2d(
        x,
        *draw(layers(kind, x, shape, axis=3, needs_bias=True)),  # TFLM faults without one
        padding=padding,
        stride=draw(STEPS),
        dilation=dilation,
        activation=draw(ACTIVATIONS),
    )
    return draw(steps(model, x))


@pytest.mark.parametrize("kind", ["int8", "int16", "float32"])
def test_equals_tflm(kind: str) -> None:
    @examples
    @given(case=convolutions(kind))
    def check(case: Case) -> None:
        assert_all_agree(case)

    check()
