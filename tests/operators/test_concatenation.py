"""CONCATENATION, SPLIT, SPLIT_V, PACK and UNPACK: along an axis, together and apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.operators.harness import Case, assert_all_agree
from tests.operators.movement import (
    assert_ours_give,
    dtypes,
    examples,
    filled,
    ints,
    many,
    shapes,
    spec,
    values,
)
from tests.tflite_models import TensorSpec
from tinysim.errors import ModelError


@st.composite
def pieces(draw: st.DrawFn, dtype: str) -> tuple[int, list[TensorSpec], TensorSpec]:
    """An axis, tensors that differ along it at most, and all of them together."""
    shape = draw(shapes)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    lengths = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    whole = list(shape)
    parts = []
    for length in lengths:
        whole[axis] = length
        parts.append(spec(whole, dtype))
    whole[axis] = sum(lengths)
    return axis, parts, spec(whole, dtype)


@examples
@given(data=st.data())
def test_concatenation(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(["int8", "int16", "int32", "int64", "float32", "bool"]))
    axis, parts, whole = data.draw(pieces(dtype))
    if len(parts) > 1 and data.draw(st.booleans()):
        parts[0] = filled(parts[0])
    assert_all_agree(many("CONCATENATION", parts, [whole], {"Axis": axis}))


@examples
@given(data=st.data())
def test_split_v(data: st.DataObject) -> None:
    axis, parts, whole = data.draw(pieces(data.draw(dtypes)))
    lengths = ints(*(part.shape[axis] for part in parts))
    assert_all_agree(
        many("SPLIT_V", [whole, lengths, ints(axis)], parts, {"NumSplits": len(parts)})
    )


@examples
@given(data=st.data())
def test_split(data: st.DataObject) -> None:
    axis, _, whole = data.draw(pieces(data.draw(dtypes)))
    count = data.draw(st.integers(1, 4))
    shape = list(whole.shape)
    shape[axis] *= count
    options = {"NumSplits": count}
    inputs = [ints(axis), replace(whole, shape=tuple(shape))]
    assert_all_agree(many("SPLIT", inputs, [replace(whole) for _ in range(count)], options))


@examples
@given(shape=shapes, dtype=dtypes, count=st.integers(1, 4), data=st.data())
def test_pack_and_unpack(
    shape: tuple[int, ...], dtype: str, count: int, data: st.DataObject
) -> None:
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    place = axis % (len(shape) + 1)
    whole = spec((*shape[:place], count, *shape[place:]), dtype)
    parts = [spec(shape, dtype) for _ in range(count)]
    assert_all_agree(many("PACK", parts, [whole], {"Axis": axis, "ValuesCount": count}))
    assert_all_agree(many("UNPACK", [whole], parts, {"Axis": axis, "Num": count}))


def test_what_is_quantized_differently_is_refused() -> None:
    a, out = spec((2, 3), "int8"), spec((4, 3), "int8")
    case = many("CONCATENATION", [a, replace(a, scales=(0.25,))], [out], {"Axis": 0})
    with pytest.raises(ModelError, match="quantized differently"):
        assert_all_agree(case)


@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_that_is_not_there_is_refused(axis: int) -> None:
    a = spec((2, 3), "int8")
    with pytest.raises(ModelError, match="there are 2 dimensions"):
        assert_all_agree(many("CONCATENATION", [a], [a], {"Axis": axis}))


def test_int64_is_packed_in_words() -> None:  # TFLM packs it too, but it unpacks no int64
    whole = spec((3, 2), "int64")
    parts = [spec((3,), "int64"), spec((3,), "int64")]
    case = many("UNPACK", [whole], parts, {"Axis": 1, "Num": 2})
    x = case.steps[0][0]
    assert_ours_give(Case(case.model, case.steps), x[:, 0], x[:, 1])
    assert x.dtype == np.int64 and values(whole).shape == (3, 2)
