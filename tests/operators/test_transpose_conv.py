"""TRANSPOSE_CONV against TFLM."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
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
    inputs,
    layers,
    steps,
)

examples = settings(deadline=None, max_examples=25)


@st.composite
def convolutions(draw: Draw, kind: str) -> Case:
    """The output is as large as the usual rule has it, or cut, or has positions nothing reaches."""
    window, stride, padding = draw(PAIRS), draw(STEPS), draw(PADDINGS)
    n, h, w, c = (draw(st.integers(1, 4)) for _ in range(4))
    o = draw(st.integers(1, 4))
    size = [
        max(1, (size - 1) * stride[i] + (window[i] if padding == "VALID" else 1))
        for i, size in enumerate((h, w))
    ]
    size = [max(1, length + draw(st.integers(-2, 2))) for length in size]
    x = draw(inputs(kind, (n, h, w, c)))
    filter_, bias, out = draw(layers(kind, x, (o, *window, c), axis=0))
    shape = (n, *size, o)
    options = {
        "Padding": padding,
        "StrideH": stride[0],
        "StrideW": stride[1],
        "FusedActivationFunction": draw(ACTIVATIONS),
    }
    wanted = models.constant(np.array(shape, "int32"))
    inputs_ = (wanted, filter_, x, bias) if bias is not None else (wanted, filter_, x)
    model = models.single("TRANSPOSE_CONV", inputs_, replace(out, shape=shape), options)
    return draw(steps(model, x))


@pytest.mark.parametrize("kind", ["int8", "int16", "float32"])
def test_equals_tflm(kind: str) -> None:
    @examples
    @given(case=convolutions(kind))
    def check(case: Case) -> None:
        assert_all_agree(case)

    check()


def test_output_shape_may_be_computed_for_it_is_not_read() -> None:
    shape = models.TensorSpec((4,), "int32")
    filter_ = models.constant(np.ones((2, 2, 2, 3), np.float32))
    out = models.float32((1, 6, 6, 2))
    options = {"Padding": "VALID", "StrideH": 2, "StrideW": 2}
    model = models.single(
        "TRANSPOSE_CONV", (shape, filter_, models.float32((1, 3, 3, 3))), out, options
    )
    x = np.arange(27, dtype=np.float32).reshape(1, 3, 3, 3)
    assert_all_agree(Case(model, ((np.array([1, 6, 6, 2], np.int32), x),)))
