"""What repeats, reverses, fills and rearranges in blocks; views; SHAPE."""

from __future__ import annotations

from dataclasses import replace

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
from tests.tflite_models import OperatorSpec, build_model
from tinysim.errors import ModelError


@examples
@given(shape=shapes, dtype=dtypes, data=st.data())
def test_tile(shape: tuple[int, ...], dtype: str, data: st.DataObject) -> None:  # not in TFLM
    times = [data.draw(st.integers(1, 3)) for _ in shape]
    out = [a * b for a, b in zip(shape, times, strict=True)]
    case = many("TILE", [spec(shape, dtype), ints(*times)], [spec(out, dtype)])
    assert_ours_give(case, np.tile(case.steps[0][0], times))


@examples
@given(shape=shapes, dtype=dtypes, data=st.data())
def test_broadcast_to(shape: tuple[int, ...], dtype: str, data: st.DataObject) -> None:
    small = [data.draw(st.sampled_from([1, size])) for size in shape]
    small = small[data.draw(st.integers(0, len(small) - 1)) :]
    case = many("BROADCAST_TO", [spec(small, dtype), ints(*shape)], [spec(shape, dtype)])
    assert_all_agree(case)


@examples
@given(shape=shapes, dtype=dtypes, data=st.data())
def test_reverse_v2(shape: tuple[int, ...], dtype: str, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(shape) - 1))
    last = data.draw(st.integers(first, len(shape) - 1))  # TFLM takes neighbours only
    axes = [a - data.draw(st.sampled_from([0, len(shape)])) for a in range(first, last + 1)]
    x = spec(shape, dtype)
    assert_all_agree(many("REVERSE_V2", [x, ints(*axes)], [replace(x)]))


@examples
@given(
    shape=shapes,
    dtype=st.sampled_from(["int8", "int32", "float32"]),
    is_constant=st.booleans(),
)
def test_fill(shape: tuple[int, ...], dtype: str, is_constant: bool) -> None:
    value = spec((), dtype)
    # A model without inputs is none: it gets one that nothing reads.
    if is_constant:
        out, x = spec(shape, dtype), spec(shape, dtype)
        tensors = [ints(*shape), filled(value), x, out]
        case = many("FILL", tensors[:2], [out])
        fill = OperatorSpec("FILL", [0, 1], [3], {})
        model = build_model(tensors, [fill], [2], [3])
        step = (np.zeros(shape, dtype),)
        assert_all_agree(replace(case, model=model, steps=(step,)))
        return
    assert_all_agree(many("FILL", [ints(*shape), value], [spec(shape, dtype)]))


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "float32"])
def test_zeros_like(dtype: str) -> None:
    assert_all_agree(many("ZEROS_LIKE", [spec((3, 5), dtype)], [spec((3, 5), dtype)]))


def test_shape() -> None:
    assert_all_agree(many("SHAPE", [spec((3, 1, 7), "float32")], [spec((3,), "int32")]))


@examples
@given(
    dtype=st.sampled_from(["int8", "float32"]),
    block=st.integers(1, 3),
    small=st.tuples(*[st.integers(1, 4)] * 4),
)
def test_depth_and_space(dtype: str, block: int, small: tuple[int, int, int, int]) -> None:
    n, h, w, c = small
    fine = spec((n, h * block, w * block, c), dtype)
    coarse = spec((n, h, w, c * block * block), dtype)
    options = {"BlockSize": block}
    assert_all_agree(many("DEPTH_TO_SPACE", [coarse], [fine], options))
    assert_all_agree(many("SPACE_TO_DEPTH", [fine], [coarse], options))


@pytest.mark.parametrize("block", [-1, 0, 2])
def test_blocks_that_do_not_fit_are_refused(block: int) -> None:
    x = spec((1, 3, 3, 3), "int8")
    with pytest.raises(ModelError, match="block"):
        assert_all_agree(many("SPACE_TO_DEPTH", [x], [replace(x)], {"BlockSize": block}))


def test_views_cost_nothing() -> None:
    shapes = [(2, 1, 3), (2, 3), (2, 1, 3), (6,), (6,)]
    tensors = [spec(shape, "int8") for shape in shapes] + [ints(1), ints(6), ints(0)]
    operators = [
        OperatorSpec("SQUEEZE", [0], [1], {}),
        OperatorSpec("EXPAND_DIMS", [1, 5], [2], {}),
        OperatorSpec("RESHAPE", [2, 6], [3], {}),
        OperatorSpec("REVERSE_V2", [3, 7], [4], {}),
    ]
    case = many("REVERSE_V2", [tensors[0], tensors[7]], [replace(tensors[0])])
    assert_all_agree(replace(case, model=build_model(tensors, operators, [0], [4])))
