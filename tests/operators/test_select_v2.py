"""SELECT_V2: broadcasting, with a constant on either side; SELECT by rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree
from tests.operators.movement import assert_ours_give
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


@pytest.mark.parametrize("shape", [(2, 3, 4), (2,), (), (1,)])
@examples
@given(data=st.data())
def test_select_by_rows(shape: tuple[int, ...], data: st.DataObject) -> None:
    """TFLM has no SELECT, so numpy says what is expected."""
    x = data.draw(specs((2, 3, 4), "int8"))
    condition, a, b = (
        data.draw(arrays(s, t)) for s, t in ((shape, "bool"), (x.shape, "int8"), (x.shape, "int8"))
    )
    tensors = [TensorSpec(shape, "bool"), x, constant(x, b)]
    case = Case(models.single("SELECT", tensors, x), ((condition, a),))
    column = condition.reshape(*shape, 1, 1) if len(shape) == 1 else condition
    assert_ours_give(case, np.where(column, a, b))
