"""AVERAGE_POOL_2D and MAX_POOL_2D of int8, int16 and float32."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree, native
from tests.tflite_models import TensorSpec
from tinysim.compiler.graph import Array, DType, Graph, Node, Quant, Tensor
from tinysim.compiler.ops.average_pool_2d import AveragePool2D

Draw = st.DrawFn

examples = settings(deadline=None, max_examples=25)
NAMES = ["AVERAGE_POOL_2D", "MAX_POOL_2D"]
DTYPES = ["int8", "int16", "float32"]


def tensor_of(draw: Draw, dtype: str, shape: tuple[int, ...]) -> TensorSpec:
    """A tensor of one of the types; the zero point may stand at the ends."""
    if dtype == "float32":
        return models.float32(shape)
    limits = np.iinfo(dtype)
    zero_point = draw(st.sampled_from([0, 0, 3, int(limits.min), int(limits.max)]))
    scale = float(np.float32(2.0 ** draw(st.floats(-14, 2))))
    return TensorSpec(shape, dtype, (scale,), (zero_point,))


def values_of(draw: Draw, dtype: str, shape: tuple[int, ...]) -> Array:
    """Spread values, or the two ends only."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if dtype == "float32":
        return (random.normal(size=shape) * draw(st.sampled_from([1e-3, 4.0]))).astype(dtype)
    limits = np.iinfo(dtype)
    if draw(st.booleans()):
        return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return random.choice(np.array([limits.min, limits.max], dtype), shape)


@st.composite
def pools(draw: Draw, name: str, dtype: str) -> Case:
    window = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    smallest = window if padding == "VALID" else (1, 1)
    height, width = (size + draw(st.integers(0, 6)) for size in smallest)
    x = tensor_of(draw, dtype, (draw(st.integers(1, 2)), height, width, draw(st.integers(1, 5))))
    model = models.pool_2d(
        name,
        x,
        window=window,
        padding=padding,
        stride=draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        activation=draw(st.sampled_from(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])),
    )
    steps = tuple((values_of(draw, dtype, x.shape),) for _ in range(2))
    return Case(model, steps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
@examples
@given(data=st.data())
def test_pools_equal_tflm(name: str, dtype: str, data: st.DataObject) -> None:
    assert_all_agree(data.draw(pools(name, dtype)))


@pytest.mark.parametrize("name", NAMES)
def test_special_floats_equal_tflm(name: str) -> None:
    x = models.float32((1, 2, 6, 1))
    special = [np.inf, -np.inf, np.nan, 0.0, -0.0, 3e38]
    values = np.array([special, special], "float32").reshape(x.shape)
    assert_all_agree(Case(models.pool_2d(name, x, window=(2, 1)), ((values,),)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_counted_padding_is_zeros_around_the_input(dtype: str) -> None:
    # TFLite never counts the padding: the expectation is the pool of a padded input.
    quant = None if dtype == "float32" else Quant((0.5,), (7,))
    x = Tensor(0, "x", (2, 5, 4, 3), DType(dtype), quant)
    out = replace(x, id=1, name="out", shape=(2, 3, 2, 3))
    op = AveragePool2D("SAME", 2, 2, 3, 3, "NONE", counts_padding=True)
    values = np.random.default_rng(1).integers(-100, 100, x.shape).astype(dtype)
    zero = 0 if quant is None else 7
    # SAME: 5 rows want one row above and below, 4 columns want one behind.
    padded = np.pad(values, ((0, 0), (1, 1), (0, 1), (0, 0)), constant_values=zero)
    window = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))[:, ::2, ::2]
    mean = window.astype(np.float64).mean(axis=(-1, -2))
    expected = mean if quant is None else np.copysign(np.floor(np.abs(mean) + 0.5), mean)
    assert list(op.problems((x,), (out,))) == []
    graph = Graph("", "", (Node("", op, (x,), (out,)),), (x,), (out,))
    for found in (op.reference((x,), (out,), (values,))[0], native(graph, [(values,)])[0][0]):
        assert found.dtype == values.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_huge_window_is_refused() -> None:
    x = Tensor(0, "x", (1, 2, 2, 1), DType.FLOAT32)
    op = AveragePool2D("VALID", 1, 1, 2**30, 2**30, "NONE")
    assert any("too large" in problem for problem in op.problems((x,), (x,)))
