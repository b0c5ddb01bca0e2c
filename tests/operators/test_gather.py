"""GATHER, with constant and with computed indices, also such as are outside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import assert_all_agree
from tests.operators.movement import assert_ours_give, examples, filled, ints, many, shapes, spec
from tests.tflite_models import TensorSpec
from tinysim.errors import ModelError


@examples
@given(shape=shapes, dtype=st.sampled_from(["int8", "float32"]), data=st.data())
def test_gather(shape: tuple[int, ...], dtype: str, data: st.DataObject) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    batch = data.draw(st.integers(0, axis))
    picked = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=2))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    places = random.integers(0, shape[axis], (*shape[:batch], *picked), "int32")
    x, indices = spec(shape, dtype), models.constant(places)
    kind = data.draw(st.sampled_from(["constant", "computed", "table"]))
    if kind != "constant":
        indices = TensorSpec(places.shape, "int32")
    if kind == "table":
        x = filled(x)
    out = spec((*shape[:axis], *picked, *shape[axis + 1 :]), dtype)
    case = many("GATHER", [x, indices], [out], {"Axis": axis, "BatchDims": batch})
    if kind == "computed":
        case = replace(case, steps=tuple((step[0], places) for step in case.steps))
    if kind == "table":
        case = replace(case, steps=((places,),))
    assert_all_agree(case)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int64"])
def test_a_computed_index_outside_takes_the_nearest_end(dtype: str) -> None:
    x, out = spec((3, 2), dtype), spec((4, 2), dtype)
    case = many("GATHER", [x, TensorSpec((4,), "int32")], [out], {"Axis": 0})
    values = case.steps[0][0]
    places = np.array([-(2**31), -1, 3, 2**31 - 1], "int32")
    assert_ours_give(replace(case, steps=((values, places),)), values[[0, 0, 2, 2]])


@pytest.mark.parametrize("place", [-1, 3])
def test_a_constant_index_outside_is_refused(place: int) -> None:
    case = many("GATHER", [spec((3,), "int8"), ints(place)], [spec((1,), "int8")], {"Axis": 0})
    with pytest.raises(ModelError, match="outside a dimension of 3"):
        assert_all_agree(case)
