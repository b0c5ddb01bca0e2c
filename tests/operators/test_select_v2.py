"""SELECT_V2: broadcasting, with a constant on either side."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree
from tests.operators.strategies import arrays, broadcasts, constant, examples, specs
from tests.tflite_models import TensorSpec


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
@examples
@given(data=st.data())
def test_select(dtype: str, data: st.DataObject) -> None:
    first, second, whole = data.draw(broadcasts())
    out = data.draw(specs(whole, dtype))
    shapes = data.draw(st.permutations([first, second, whole]))
    tensors = [TensorSpec(shapes[0], "bool"), *(replace(out, shape=s) for s in shapes[1:])]
    values = [data.draw(arrays(tensor.shape, tensor.dtype)) for tensor in tensors]
    fixed = data.draw(st.sampled_from([None, 1, 2]))
    if fixed is not None:
        tensors[fixed] = constant(tensors[fixed], values[fixed])
    fed = tuple(v for t, v in zip(tensors, values, strict=True) if t.data is None)
    assert_all_agree(Case(models.single("SELECT_V2", tensors, out), (fed,)))
