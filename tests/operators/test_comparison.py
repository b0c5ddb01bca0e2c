"""Comparisons and logical operators, broadcasting and with constants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree
from tests.operators.strategies import (
    Draw,
    arrays,
    broadcasts,
    constant,
    examples,
    scales,
    shapes,
    zero_points,
)
from tests.tflite_models import TensorSpec

RELATIONS = ["EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"]
TYPES = ["int8", "int32", "int64", "float32"]


@st.composite
def comparisons(draw: Draw, name: str, dtype: str) -> Case:
    """Values that are often equal; at most one operand is a constant."""
    *pair, whole = draw(broadcasts())
    tensors = [TensorSpec(shape, dtype) for shape in pair]
    if dtype == "int8":
        scale, zero = draw(scales(-8, -1)), draw(zero_points(dtype))
        tensors[0] = TensorSpec(pair[0], dtype, (scale,), (zero,))
        other = draw(st.just(scale) | scales(-8, -1))
        zero = draw(st.just(zero) | zero_points(dtype))
        tensors[1] = TensorSpec(pair[1], dtype, (other,), (zero,))
    values = [draw(arrays(shape, dtype)) for shape in pair]
    if dtype == "float32":
        values = [np.round(value).astype(np.float32) for value in values]
    fixed = draw(st.sampled_from([None, 0, 1]))
    if fixed is not None:
        tensors[fixed] = constant(tensors[fixed], values[fixed])
    fed = tuple(v for t, v in zip(tensors, values, strict=True) if t.data is None)
    return Case(models.single(name, tensors, TensorSpec(whole, "bool")), (fed,))


@pytest.mark.parametrize("dtype", TYPES)
@examples
@given(data=st.data(), name=st.sampled_from(RELATIONS))
def test_comparison(dtype: str, data: st.DataObject, name: str) -> None:
    assert_all_agree(data.draw(comparisons(name, dtype)))


@examples
@given(data=st.data(), name=st.sampled_from(["EQUAL", "NOT_EQUAL", "LOGICAL_AND", "LOGICAL_OR"]))
def test_logic(data: st.DataObject, name: str) -> None:
    assert_all_agree(data.draw(comparisons(name, "bool")))


@examples
@given(data=st.data())
def test_logical_not(data: st.DataObject) -> None:
    shape = data.draw(shapes)
    spec, values = TensorSpec(shape, "bool"), data.draw(arrays(shape, "bool"))
    assert_all_agree(Case(models.single("LOGICAL_NOT", (spec,), spec), ((values,),)))
