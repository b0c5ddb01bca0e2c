"""FULLY_CONNECTED against TFLM."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree
from tests.operators.weights import ACTIVATIONS, KINDS, Draw, inputs, layers, steps

examples = settings(deadline=None, max_examples=25)


@st.composite
def products(draw: Draw, kind: str) -> Case:
    """Any leading dimensions; the output keeps them, or is a matrix."""
    features, rows = draw(st.integers(1, 40)), draw(st.integers(1, 20))
    leading = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    x = draw(inputs(kind, (*leading, features)))
    filter_, bias, out = draw(layers(kind, x, (rows, features), axis=0))
    keeps = draw(st.booleans())
    shape = (*leading, rows) if keeps else (prod(leading), rows)
    options = {"FusedActivationFunction": draw(ACTIVATIONS), "KeepNumDims": keeps}
    model = models.single("FULLY_CONNECTED", (x, filter_, bias), replace(out, shape=shape), options)
    return draw(steps(model, x))


@pytest.mark.parametrize("kind", KINDS)
def test_equals_tflm(kind: str) -> None:
    @examples
    @given(case=products(kind))
    def check(case: Case) -> None:
        assert_all_agree(case)

    check()
