"""STRIDED_SLICE, SLICE and TRANSPOSE."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.operators.harness import assert_all_agree
from tests.operators.movement import assert_ours_give, dtypes, examples, ints, many, shapes, spec
from tinysim.errors import ModelError


@examples
@given(shape=shapes, dtype=dtypes, data=st.data())
def test_strided_slice(shape: tuple[int, ...], dtype: str, data: st.DataObject) -> None:
    begin, end, strides = [], [], []
    index: list[int | slice] = []
    masks = {"BeginMask": 0, "EndMask": 0, "ShrinkAxisMask": 0}
    for axis, size in enumerate(shape):
        first, last = (data.draw(st.integers(-size - 2, size + 2)) for _ in range(2))
        stride = data.draw(st.sampled_from([1, 1, 2, 3, -1, -2]))
        kind = data.draw(st.sampled_from(["box", "open", "half", "one"]))
        if kind == "one":
            first, stride = data.draw(st.integers(-size, size - 1)), 1
            masks["ShrinkAxisMask"] |= 1 << axis
            index.append(first)
        else:
            masks["BeginMask"] |= (kind == "open") << axis
            masks["EndMask"] |= (kind != "box") << axis
            low = None if kind == "open" else first
            index.append(slice(low, last if kind == "box" else None, stride))
        begin.append(first)
        end.append(last)
        strides.append(stride)
    out = np.empty(shape)[tuple(index)].shape
    assume(0 not in out)
    inputs = [spec(shape, dtype), ints(*begin), ints(*end), ints(*strides)]
    assert_all_agree(many("STRIDED_SLICE", inputs, [spec(out, dtype)], masks))


@pytest.mark.parametrize("dtype", ["int8", "int64"])
def test_ellipsis_and_new_axis(dtype: str) -> None:  # TFLM ignores both masks
    inputs = [spec((2, 3, 4), dtype), ints(0, 0, 0, 1), ints(0, 0, 0, 4), ints(1, 1, 1, 2)]
    masks = {"EllipsisMask": 1, "NewAxisMask": 2, "EndMask": 4}
    case = many("STRIDED_SLICE", inputs, [spec((2, 1, 3, 2), dtype)], masks)
    assert_ours_give(case, case.steps[0][0][..., None, :, 1:4:2])


@pytest.mark.parametrize("place", [3, -4])
def test_a_place_outside_is_refused(place: int) -> None:
    inputs = [spec((3,), "int8"), ints(place), ints(0), ints(1)]
    case = many("STRIDED_SLICE", inputs, [spec((1,), "int8")], {"ShrinkAxisMask": 1})
    with pytest.raises(ModelError, match="outside a dimension of 3"):
        assert_all_agree(case)


@examples
@given(shape=shapes, dtype=dtypes, data=st.data())
def test_slice(shape: tuple[int, ...], dtype: str, data: st.DataObject) -> None:
    begin = [data.draw(st.integers(0, size - 1)) for size in shape]
    out = [data.draw(st.integers(1, n - b)) for n, b in zip(shape, begin, strict=True)]
    inputs = [spec(shape, dtype), ints(*begin), ints(*out)]
    assert_all_agree(many("SLICE", inputs, [spec(out, dtype)]))


def test_slice_to_the_end() -> None:
    inputs = [spec((3, 4), "float32"), ints(1, 2), ints(-1, -1)]
    assert_all_agree(many("SLICE", inputs, [spec((2, 2), "float32")]))


@pytest.mark.parametrize(("begin", "size"), [(-1, 1), (3, 1), (1, 3), (0, -2)])
def test_a_box_outside_is_refused(begin: int, size: int) -> None:
    inputs = [spec((3,), "int8"), ints(begin), ints(size)]
    with pytest.raises(ModelError, match="is not in"):
        assert_all_agree(many("SLICE", inputs, [spec((3,), "int8")]))


@examples
@given(shape=st.lists(st.integers(1, 5), min_size=1, max_size=5), dtype=dtypes, data=st.data())
def test_transpose(shape: list[int], dtype: str, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(shape))))
    inputs = [spec(shape, dtype), ints(*order)]
    assert_all_agree(many("TRANSPOSE", inputs, [spec([shape[i] for i in order], dtype)]))


@pytest.mark.parametrize("order", [(0, 0), (0, 2), (0,), (1, 0, 2)])
def test_what_is_no_permutation_is_refused(order: Any) -> None:
    inputs = [spec((2, 3), "int8"), ints(*order)]
    with pytest.raises(ModelError, match="no permutation"):
        assert_all_agree(many("TRANSPOSE", inputs, [spec((3, 2), "int8")]))


def test_too_many_dimensions_are_refused() -> None:
    shape, order = (9, 9, 2, 2, 2, 2, 2, 2), (1, 0, 3, 2, 5, 4, 7, 6)
    with pytest.raises(ModelError, match="many more than 6 dimensions"):
        assert_all_agree(
            many("TRANSPOSE", [spec(shape, "int8"), ints(*order)], [spec(shape, "int8")])
        )
