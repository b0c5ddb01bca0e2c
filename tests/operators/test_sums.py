"""CUMSUM and ADD_N."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree
from tests.operators.movement import ints
from tests.operators.strategies import arrays, examples, scales, shapes, specs, zero_points
from tests.tflite_models import TensorSpec
from tinysim.errors import ModelError


def output(data: st.DataObject, x: TensorSpec) -> TensorSpec:
    """An output of another quantization."""
    if not x.scales:
        return x
    scale = float(np.float32(x.scales[0] * data.draw(scales(-3, 6))))
    return replace(x, scales=(scale,), zero_points=(data.draw(zero_points(x.dtype)),))


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@examples
@given(data=st.data())
def test_cumulative_sums(dtype: str, data: st.DataObject) -> None:
    """At most five elements: sums of int8 that overflow are undefined in TFLM."""
    x = data.draw(specs(data.draw(shapes), dtype))
    axis = data.draw(st.integers(-len(x.shape), len(x.shape) - 1))
    options = {"Exclusive": data.draw(st.booleans()), "Reverse": data.draw(st.booleans())}
    steps = tuple((data.draw(arrays(x.shape, dtype)),) for _ in range(2))
    model = models.single("CUMSUM", [x, ints(axis)], output(data, x), options)
    assert_all_agree(Case(model, steps))


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@examples
@given(data=st.data(), terms=st.integers(2, 5))
def test_sums_of_many(dtype: str, data: st.DataObject, terms: int) -> None:
    x = data.draw(specs(data.draw(shapes), dtype))
    steps = tuple(tuple(data.draw(arrays(x.shape, dtype)) for _ in range(terms)) for _ in range(2))
    assert_all_agree(Case(models.single("ADD_N", [x] * terms, output(data, x)), steps))


def test_an_axis_outside_is_refused() -> None:
    x = TensorSpec((2, 2), "float32")
    model = models.single("CUMSUM", [x, ints(2)], x, {"Exclusive": False, "Reverse": False})
    with pytest.raises(ModelError, match="axis is 2"):
        assert_all_agree(Case(model, ((np.zeros((2, 2), np.float32),),)))
