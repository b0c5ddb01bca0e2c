"""ONE_HOT; TFLM has none, so numpy says what is expected."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case
from tests.operators.movement import assert_ours_give, examples, ints, shapes
from tests.tflite_models import TensorSpec


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32", "bool"])
@examples
@given(shape=shapes, data=st.data(), depth=st.integers(1, 4))
def test_one_hot(dtype: str, shape: tuple[int, ...], depth: int, data: st.DataObject) -> None:
    axis = data.draw(st.integers(-1, len(shape)))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    indices = rng.integers(-1, depth + 1, shape, np.int32)
    pair = np.array([1, 0] if dtype == "bool" else [-3, 7], dtype)
    values = [models.constant(pair[i].reshape(1)) for i in range(2)]
    place = axis % (len(shape) + 1)
    out = TensorSpec((*shape[:place], depth, *shape[place:]), dtype)
    inputs = [TensorSpec(shape, "int32"), ints(depth), *values]
    model = models.single("ONE_HOT", inputs, out, {"Axis": axis})
    at = np.arange(depth).reshape(-1, *[1] * (len(shape) - place))
    expected = np.where(np.expand_dims(indices, place) == at, pair[0], pair[1])
    assert_ours_give(Case(model, ((indices,),)), expected)
