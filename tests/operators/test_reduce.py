"""Reductions over any axes: of int8, int16 and float32, of bool."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree, assert_equal, native, reference
from tests.operators.movement import assert_ours_give
from tests.operators.strategies import arrays
from tests.tflite_models import TensorSpec
from tinysim.compiler.graph import Array, DType, Graph, Node, Quant, Tensor
from tinysim.compiler.ops.mean import Mean
from tinysim.compiler.ops.reduce_max import ReduceMax
from tinysim.compiler.ops.reduce_min import ReduceMin

Draw = st.DrawFn

examples = settings(deadline=None, max_examples=25)


def values_of(draw: Draw, dtype: str, shape: tuple[int, ...]) -> Array:
    """Spread values, or the two ends only."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if dtype == "bool":
        return random.random(shape) < draw(st.sampled_from([0.1, 0.9]))
    if dtype == "float32":
        return (random.normal(size=shape) * draw(st.sampled_from([1e-3, 4.0]))).astype(dtype)
    limits = np.iinfo(dtype)
    if draw(st.booleans()):
        return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return random.choice(np.array([limits.min, limits.max], dtype), shape)


def tensor_of(
    draw: Draw, dtype: str, shape: tuple[int, ...], like: TensorSpec | None = None
) -> TensorSpec:
    """A tensor of one of the types, its scale in reach of that of ``like``."""
    if dtype in ("float32", "bool"):
        return TensorSpec(shape, dtype)
    limits = np.iinfo(dtype)
    zero_point = draw(st.sampled_from([0, 5, -3, int(limits.min), int(limits.max)]))
    ratio = st.one_of(st.integers(-5, 8), st.floats(-5, 25))
    scale = like.scales[0] * 2.0 ** draw(ratio) if like else 2.0 ** draw(st.floats(-10, 0))
    return TensorSpec(shape, dtype, (float(np.float32(scale)),), (zero_point,))


@st.composite
def reductions(draw: Draw, name: str, dtype: str) -> Case:
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    rank = len(shape)
    axes = draw(st.sets(st.integers(0, rank - 1), min_size=1))
    named = [axis - draw(st.sampled_from([0, rank])) for axis in draw(st.permutations(list(axes)))]
    if named and len(named) < 4 and draw(st.booleans()):
        named.append(named[0])  # an axis that is named twice counts once
    # TFLM writes nothing to a tensor without dimensions.
    keep_dims = draw(st.booleans()) or len(axes) == rank
    sizes = enumerate(shape)
    kept = tuple(1 if i in axes else n for i, n in sizes if keep_dims or i not in axes)
    x = tensor_of(draw, dtype, shape)
    out = tensor_of(draw, dtype, kept, x)
    if name.startswith("REDUCE") and x.scales:
        out = TensorSpec(kept, dtype, x.scales, x.zero_points)
    inputs = (x, models.constant(np.array(named, "int32")))
    model = models.single(name, inputs, out, {"KeepDims": keep_dims})
    return Case(model, tuple((values_of(draw, dtype, shape),) for _ in range(2)))


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
@pytest.mark.parametrize("name", ["MEAN", "SUM"])
@examples
@given(data=st.data())
def test_mean_and_sum_equal_tflm(name: str, dtype: str, data: st.DataObject) -> None:
    assert_all_agree(data.draw(reductions(name, dtype)))


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("name", ["REDUCE_MAX", "REDUCE_MIN"])
@examples
@given(data=st.data())
def test_extremes_equal_tflm(name: str, dtype: str, data: st.DataObject) -> None:
    assert_all_agree(data.draw(reductions(name, dtype)))


@pytest.mark.parametrize("name", ["MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"])
def test_special_floats_equal_tflm(name: str) -> None:
    x = models.float32((2, 7))
    special = [np.inf, -np.inf, np.nan, 0.0, -0.0, 3e38, -3e38]
    values = np.array([special, special[::-1]], "float32")
    inputs = (x, models.constant(np.array([0], "int32")))
    model = models.single(name, inputs, models.float32((7,)))
    assert_all_agree(Case(model, ((values,), (np.abs(values),))))


@pytest.mark.parametrize("op", [ReduceMax(), ReduceMin()])
def test_extremes_of_int16(op: ReduceMax | ReduceMin) -> None:
    # TFLM has no int16 here: the expectation is numpy's.
    quant = Quant((0.5,), (0,))
    axes = Tensor(1, "axes", (2,), DType.INT32, data=np.array([0, 2], "int32"))
    x = Tensor(0, "x", (3, 4, 5), DType.INT16, quant)
    out = Tensor(2, "out", (4,), DType.INT16, quant)
    values = np.random.default_rng(3).integers(-(2**15), 2**15, x.shape, np.int16)
    graph = Graph("", "", (Node("", op, (x, axes), (out,)),), (x,), (out,))
    assert list(op.problems((x, axes), (out,))) == []
    expected = [[getattr(values, op.tflite[-3:].lower())(axis=(0, 2))]]
    assert_equal(reference(graph, [(values,)]), expected, 0, "our reference, numpy")
    assert_equal(native(graph, [(values,)]), expected, 0, "our C, numpy")


@pytest.mark.parametrize(
    ("axes", "shape", "problem"),
    [
        ([0, 2, 4], (2, 2), "more than two runs"),
        ([5], (2, 2, 2, 2), "do not go with input"),
        ([0], (2, 2), "does not go with axes"),
    ],
)
def test_what_is_refused(axes: list[int], shape: tuple[int, ...], problem: str) -> None:
    x = Tensor(0, "x", (2, 2, 2, 2, 2), DType.FLOAT32)
    out = Tensor(1, "out", shape, DType.FLOAT32)
    named = Tensor(2, "axes", (len(axes),), DType.INT32, data=np.array(axes, "int32"))
    assert any(problem in text for text in Mean().problems((x, named), (out,)))


@examples
@given(data=st.data())
def test_all_equals_tflm(data: st.DataObject) -> None:
    assert_all_agree(data.draw(reductions("REDUCE_ALL", "bool")))


@examples
@given(data=st.data())
def test_any_is_what_numpy_says(data: st.DataObject) -> None:
    """TFLM has none; it is not all of what is not."""
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    axis = data.draw(st.integers(0, len(shape) - 1))
    x = TensorSpec(shape, "bool")
    kept = (*shape[:axis], 1, *shape[axis + 1 :])
    inputs = (x, models.constant(np.array([axis], "int32")))
    model = models.single("REDUCE_ANY", inputs, TensorSpec(kept, "bool"), {"KeepDims": True})
    values = data.draw(arrays(shape, "bool"))
    expected = np.asarray(values.any(axis=axis, keepdims=True))
    assert_ours_give(Case(model, ((values,),)), expected)
