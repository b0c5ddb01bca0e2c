"""CONV_2D against TFLM, and what TFLM has not against a sum over patches."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree
from tests.operators.weights import (
    ACTIVATIONS,
    KINDS,
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
    groups, growth, channels = (draw(st.integers(1, 3)) for _ in range(3))
    x = draw(images(kind, window, dilation, padding, groups * channels))
    shape = (groups * growth, *window, channels)
    model = models.conv_2d(
        x,
        *draw(layers(kind, x, shape, axis=0)),
        padding=padding,
        stride=draw(STEPS),
        dilation=dilation,
        activation=draw(ACTIVATIONS),
    )
    return draw(steps(model, x))


@pytest.mark.parametrize("kind", KINDS)
def test_equals_tflm(kind: str) -> None:
    @examples
    @given(case=convolutions(kind))
    def check(case: Case) -> None:
        assert_all_agree(case)

    check()
