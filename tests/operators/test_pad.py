"""PAD, PADV2 and MIRROR_PAD."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.operators.harness import assert_all_agree
from tests.operators.movement import (
    assert_ours_give,
    dtypes,
    examples,
    filled,
    ints,
    many,
    shapes,
    spec,
)
from tests.tflite_models import Pair
from tinysim.errors import ModelError


def padded(shape: Any, pads: Any, dtype: str) -> Any:
    return spec([n + a + b for n, (a, b) in zip(shape, pads, strict=True)], dtype)


@st.composite
def cases(draw: st.DrawFn, most: int = 4) -> tuple[tuple[int, ...], list[Pair]]:
    shape = draw(shapes)
    pair = st.tuples(st.integers(0, most), st.integers(0, most))
    return shape, draw(st.lists(pair, min_size=len(shape), max_size=len(shape)))


@examples
@given(case=cases(), dtype=dtypes)
def test_pad(case: Any, dtype: str) -> None:
    shape, pads = case
    inputs = [spec(shape, dtype), ints(*pads)]
    assert_all_agree(many("PAD", inputs, [padded(shape, pads, dtype)]))


@examples
@given(case=cases(), dtype=dtypes, is_constant=st.booleans())
def test_padv2(case: Any, dtype: str, is_constant: bool) -> None:
    shape, pads = case
    value = spec((1,), dtype)
    inputs = [spec(shape, dtype), ints(*pads), filled(value) if is_constant else value]
    assert_all_agree(many("PADV2", inputs, [padded(shape, pads, dtype)]))


@examples
@given(shape=shapes, dtype=st.sampled_from(["int8", "float32"]), data=st.data())
def test_mirror_pad(shape: tuple[int, ...], dtype: str, data: st.DataObject) -> None:
    mode = data.draw(st.sampled_from(["REFLECT", "SYMMETRIC"]))
    pads = []
    for size in shape:
        widths = st.integers(0, size - (mode == "REFLECT"))
        pads.append((data.draw(widths), data.draw(widths)))
    inputs = [spec(shape, dtype), ints(*pads)]
    assert_all_agree(many("MIRROR_PAD", inputs, [padded(shape, pads, dtype)], {"Mode": mode}))


@pytest.mark.parametrize("dtype", ["int8", "int64", "bool"])
def test_rank_5(dtype: str) -> None:  # TFLM pads up to 5 dimensions, but neither int64 nor bool
    shape, pads = (2, 1, 3, 2, 2), [(1, 0), (0, 1), (1, 1), (0, 0), (2, 1)]
    case = many("PAD", [spec(shape, dtype), ints(*pads)], [padded(shape, pads, dtype)])
    zero = 3 if dtype == "int8" else 0
    assert_ours_give(case, np.pad(case.steps[0][0], pads, constant_values=zero))


def test_more_than_there_is_cannot_be_mirrored() -> None:
    inputs = [spec((3,), "int8"), ints((3, 0))]
    with pytest.raises(ModelError, match="mirror more than 3"):
        assert_all_agree(many("MIRROR_PAD", inputs, [spec((6,), "int8")], {"Mode": "REFLECT"}))
