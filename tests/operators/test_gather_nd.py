"""GATHER_ND and EMBEDDING_LOOKUP, with constant and with computed indices."""

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

kinds = st.sampled_from(["constant", "computed", "table"])


@examples
@given(shape=shapes, dtype=st.sampled_from(["int8", "float32"]), kind=kinds, data=st.data())
def test_gather_nd(shape: tuple[int, ...], dtype: str, kind: str, data: st.DataObject) -> None:
    depth = data.draw(st.integers(1, len(shape)))
    picked = tuple(data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=2)))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    places = random.integers(0, shape[:depth], (*picked, depth), "int32")
    x, indices = spec(shape, dtype), TensorSpec(places.shape, "int32")
    inputs = {
        "constant": [x, models.constant(places)],
        "computed": [x, indices],
        "table": [filled(x), indices],
    }[kind]
    case = many("GATHER_ND", inputs, [spec((*picked, *shape[depth:]), dtype)])
    if kind != "constant":
        case = replace(case, steps=tuple((*step[:-1], places) for step in case.steps))
    assert_all_agree(case)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int64"])
def test_a_computed_index_outside_takes_the_nearest_end(dtype: str) -> None:
    x, out = spec((3, 2), dtype), spec((3,), dtype)
    case = many("GATHER_ND", [x, TensorSpec((3, 2), "int32")], [out])
    values = case.steps[0][0]
    places = np.array([(-(2**31), 1), (2**31 - 1, -1), (1, 2)], "int32")
    assert_ours_give(replace(case, steps=((values, places),)), values[[0, 2, 1], [1, 0, 1]])


def test_a_constant_index_outside_is_refused() -> None:
    case = many("GATHER_ND", [spec((3, 2), "int8"), ints((1, 2))], [spec((1,), "int8")])
    with pytest.raises(ModelError, match="outside"):
        assert_all_agree(case)


@examples
@given(
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=4).map(tuple),
    dtype=st.sampled_from(["int8", "float32", "hybrid"]),
    kind=kinds,
    data=st.data(),
)
def test_embedding_lookup(
    shape: tuple[int, ...], dtype: str, kind: str, data: st.DataObject
) -> None:
    rows = data.draw(st.lists(st.integers(0, shape[0] - 1), min_size=1, max_size=5))
    numbers, table = TensorSpec((len(rows),), "int32"), spec(shape, dtype)
    out = spec((len(rows), *shape[1:]), dtype)
    if dtype == "hybrid":
        kind = "table"
        table = TensorSpec(shape, "int8", (0.3,), (0,))
        out = spec(out.shape, "float32")
    inputs = {
        "constant": [models.constant(np.array(rows, "int32")), table],
        "computed": [numbers, table],
        "table": [numbers, filled(table)],
    }[kind]
    case = many("EMBEDDING_LOOKUP", inputs, [out])
    if kind != "constant":
        taken = np.array(rows, "int32")
        case = replace(case, steps=tuple((taken, *step[1:]) for step in case.steps))
    assert_all_agree(case)


def test_a_number_of_a_row_outside_takes_the_nearest() -> None:
    table = filled(TensorSpec((3, 2), "int8", (0.5,), (0,)))
    case = many("EMBEDDING_LOOKUP", [TensorSpec((2,), "int32"), table], [spec((2, 2), "float32")])
    assert isinstance(table.data, np.ndarray)
    case = replace(case, steps=((np.array([-5, 9], "int32"),),))
    assert_ours_give(case, table.data[[0, 2]].astype(np.float32) * np.float32(0.5))
