"""ARG_MAX and ARG_MIN of int8 and float32."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree, assert_equal, native, reference
from tests.tflite_models import TensorSpec
from tinysim.compiler.graph import DType, Graph, Node, Tensor
from tinysim.compiler.ops.arg_max import ArgMax
from tinysim.compiler.ops.arg_min import ArgMin

Draw = st.DrawFn

examples = settings(deadline=None, max_examples=25)
NAMES = ["ARG_MAX", "ARG_MIN"]


def model_of(name: str, x: TensorSpec, axis: int) -> bytes:
    place = axis % len(x.shape)
    out = TensorSpec(x.shape[:place] + x.shape[place + 1 :], "int32")
    return models.single(name, (x, models.constant(np.array([axis], "int32"))), out)


@st.composite
def searches(draw: Draw, name: str, dtype: str) -> Case:
    # TFLM writes nothing to a tensor without dimensions.
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=2, max_size=4)))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    x = models.float32(shape) if dtype == "float32" else models.int8(shape)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spread = draw(st.sampled_from([1, 3, 128]))  # few values: many are equal
    steps = tuple((random.integers(-spread, spread, shape).astype(dtype),) for _ in range(2))
    return Case(model_of(name, x, axis), steps)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("name", NAMES)
@examples
@given(data=st.data())
def test_searches_equal_tflm(name: str, dtype: str, data: st.DataObject) -> None:
    assert_all_agree(data.draw(searches(name, dtype)))


@pytest.mark.parametrize("name", NAMES)
def test_special_floats_equal_tflm(name: str) -> None:
    rows = [
        [np.nan, 1, np.inf, 2],
        [1, np.nan, 2, -np.inf],
        [-np.inf, -np.inf, np.nan, -np.inf],
        [0.0, -0.0, 0.0, -0.0],
    ]
    values = np.array(rows, "float32")
    assert_all_agree(Case(model_of(name, models.float32((4, 4)), 1), ((values,),)))


@pytest.mark.parametrize("op", [ArgMax(), ArgMin()])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_a_wide_output_of_one_line(op: ArgMax | ArgMin, shape: tuple[int, ...]) -> None:
    # TFLM writes int32 only: the expectation is numpy's.
    axis = Tensor(1, "axis", (), DType.INT64, data=np.array(-1, "int64"))
    x, out = Tensor(0, "x", (9,), DType.INT8), Tensor(2, "out", shape, DType.INT64)
    values = np.array([3, -128, 127, -128, 127, 0, 1, 2, 3], np.int8)
    assert list(op.problems((x, axis), (out,))) == []
    graph = Graph("", "", (Node("", op, (x, axis), (out,)),), (x,), (out,))
    expected = [[np.array(2 if isinstance(op, ArgMax) else 1).reshape(shape)]]
    assert_equal(reference(graph, [(values,)]), expected, 0, "our reference, numpy")
    assert_equal(native(graph, [(values,)]), expected, 0, "our C, numpy")
