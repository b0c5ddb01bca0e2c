"""Operators of one operand: int8 by tables, int16 and float32 by kernels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators import harness
from tests.operators.harness import Case, assert_all_agree
from tests.operators.strategies import (
    Draw,
    arrays,
    constant,
    examples,
    scales,
    seeds,
    shapes,
    zero_points,
)
from tests.tflite_models import Array, TensorSpec
from tinysim.compiler.graph import DType, Quant, Tensor
from tinysim.compiler.ops import operator_class

ALL_INT8 = np.arange(-128, 128, dtype=np.int8)
ALL_INT16 = np.concatenate([np.arange(-32768, 32768, 37), [-1, 0, 1, 32767]]).astype(np.int16)

#: Units in the last place that two good mathematics libraries may differ by.
FLOATS = {
    "ABS": 0,
    "NEG": 0,
    "SQUARE": 0,
    "SQRT": 0,
    "RSQRT": 0,
    "FLOOR": 0,
    "CEIL": 0,
    "ROUND": 0,
    "RELU": 0,
    "RELU6": 0,
    "HARD_SWISH": 0,
    "EXP": 1,
    "LOG": 1,
    "SIN": 1,
    "COS": 1,
    "LOGISTIC": 2,
    "TANH": 2,
    "ELU": 2,
}


def floats(name: str, seed: int) -> Array:
    """Values of every size; halves and whole numbers, where rounding shows."""
    rng = np.random.default_rng(seed)
    spread = rng.normal(size=200) * 10.0 ** rng.integers(-6, 7, 200)
    halves = rng.integers(-40, 40, 40) / 2
    values = np.concatenate([spread, halves, rng.normal(size=100) * 5]).astype(np.float32)
    if name in ("SQRT", "RSQRT", "LOG"):
        return np.abs(values) + np.float32(1e-30)
    return np.minimum(values, np.float32(20)) if name == "EXP" else values


@pytest.mark.parametrize("name", FLOATS)
@examples
@given(seed=seeds)
def test_float32(name: str, seed: int) -> None:
    x = floats(name, seed)
    spec = TensorSpec(x.shape, "float32")
    assert_all_agree(Case(models.single(name, (spec,), spec), ((x,),)), ulp=FLOATS[name])


@st.composite
def tables(draw: Draw, name: str, dtype: str = "int8") -> Case:
    """Every int8 value, or many of int16, under scales that TFLM takes."""
    values = ALL_INT8 if dtype == "int8" else ALL_INT16
    x = TensorSpec(
        values.shape, dtype, (draw(scales(-16, -1) | scales(-7, -3)),), (draw(zero_points(dtype)),)
    )
    zero = draw(zero_points(dtype))
    out_scale = x.scales[0] * draw(scales(-3, 4))
    options: dict[str, Any] = {}
    if name == "LEAKY_RELU":
        options = {"Alpha": float(np.float32(draw(st.floats(-2, 2) | st.sampled_from([0.25, 0]))))}
    if name in ("LOGISTIC", "TANH"):
        x = TensorSpec(values.shape, dtype, (draw(scales(-16, 2) | scales(-7, -3)),), x.zero_points)
        out_scale, zero = (1 / 256, -128) if name == "LOGISTIC" else (1 / 128, 0)
    if name in ("LOGISTIC", "TANH") and dtype == "int16":
        pot = 2.0 ** draw(st.sampled_from([-12, -11, -13]))
        x = TensorSpec(values.shape, dtype, (draw(scales(-20, 1) | st.just(pot)),), (0,))
        out_scale, zero = 2.0**-15, 0
    if name == "RELU6":  # TFLM leaves out the requantization
        out_scale, zero = x.scales[0], x.zero_points[0]
    out = TensorSpec(values.shape, dtype, (float(np.float32(out_scale)),), (zero,))
    return Case(models.single(name, (x,), out, options), ((values,),))


@pytest.mark.parametrize(
    "name", ["LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "RELU", "RELU6", "ELU", "ABS"]
)
@examples
@given(data=st.data())
def test_int8(name: str, data: st.DataObject) -> None:
    assert_all_agree(data.draw(tables(name)))


@pytest.mark.parametrize("name", ["LOGISTIC", "TANH", "LEAKY_RELU", "RELU", "RELU6", "ABS"])
@examples
@given(data=st.data())
def test_int16(name: str, data: st.DataObject) -> None:
    assert_all_agree(data.draw(tables(name, "int16")))


@pytest.mark.parametrize("is_approximate", [False, True])
@examples
@given(seed=seeds)
def test_gelu_of_floats(is_approximate: bool, seed: int) -> None:
    """TFLM has no GELU, so numpy and C are compared."""
    x = np.concatenate([floats("", seed), np.array([np.inf, np.nan, -40, -3e38], np.float32)])
    spec = TensorSpec(x.shape, "float32")
    model = models.single("GELU", (spec,), spec, {"Approximate": is_approximate})
    graph = harness._read(model)
    (((found,),), ((expected,),)) = (
        compute(graph, [(x,)]) for compute in (harness.native, harness.reference)
    )
    tolerance = 1 if not is_approximate else 2
    usual = np.isfinite(expected)
    np.testing.assert_array_equal(np.isfinite(found), usual)
    reach = tolerance * np.spacing(np.maximum(np.abs(expected[usual]), np.float32(1e-3)))
    assert (np.abs(found[usual] - expected[usual]) <= reach).all()


def test_gelu_of_int8_is_a_table_of_what_float_gives() -> None:
    x = TensorSpec((256,), "int8", (0.05,), (10,))
    out = TensorSpec((256,), "int8", (0.03,), (-100,))
    model = models.single("GELU", (x,), out, {"Approximate": False})
    graph = harness._read(model)
    found = harness.reference(graph, [(ALL_INT8,)])
    harness.assert_equal(harness.native(graph, [(ALL_INT8,)]), found, 0, "our C, our reference")
    reals = 0.05 * (ALL_INT8.astype(float) - 10)
    exact = [0.5 * real * math.erfc(-real * math.sqrt(0.5)) / 0.03 - 100 for real in reals]
    assert np.abs(found[0][0] - np.clip(exact, -128, 127)).max() <= 0.51


@examples
@given(data=st.data())
def test_int8_reciprocal_roots(data: st.DataObject) -> None:
    """TFLM stops below the zero point, so no value is."""
    x_scale, zero = data.draw(scales(-16, 4)), data.draw(zero_points("int8"))
    out_scale = x_scale**-0.5 * data.draw(scales(-8, 3))
    values = np.arange(zero, 128, dtype=np.int8)
    x = TensorSpec(values.shape, "int8", (x_scale,), (zero,))
    out = TensorSpec(
        values.shape, "int8", (float(np.float32(out_scale)),), (data.draw(zero_points("int8")),)
    )
    assert_all_agree(Case(models.single("RSQRT", (x,), out), ((values,),)))


@examples
@given(seed=seeds, alpha=st.floats(-2, 2, width=32))
def test_leaky_relu_of_floats(seed: int, alpha: float) -> None:
    x = floats("", seed)
    spec = TensorSpec(x.shape, "float32")
    assert_all_agree(Case(models.single("LEAKY_RELU", (spec,), spec, {"Alpha": alpha}), ((x,),)))


@st.composite
def prelus(draw: Draw, dtype: str) -> Case:
    shape = draw(shapes)
    slopes = shape[draw(st.integers(0, len(shape) - 1)) :]
    values = draw(arrays(slopes, dtype))
    steps = tuple((draw(arrays(shape, dtype)),) for _ in range(2))
    if dtype == "float32":
        x, alpha = TensorSpec(shape, dtype), constant(TensorSpec(slopes, dtype), values)
        return Case(models.single("PRELU", (x, alpha), x), steps)
    x = TensorSpec(shape, dtype, (draw(scales(-8, 0)),), (draw(zero_points(dtype)),))
    slope = TensorSpec(slopes, dtype, (draw(scales(-8, 0)),), (draw(zero_points(dtype)),))
    scale = x.scales[0] * draw(scales(-3, 4))
    out = TensorSpec(shape, dtype, (float(np.float32(scale)),), (draw(zero_points(dtype)),))
    return Case(models.single("PRELU", (x, constant(slope, values)), out), steps)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@examples
@given(data=st.data())
def test_prelu(dtype: str, data: st.DataObject) -> None:
    assert_all_agree(data.draw(prelus(dtype)))


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("RELU6", 0, 6), ("RELU_N1_TO_1", -1, 1), ("RELU_0_TO_1", 0, 1)],
)
def test_ranges_that_tflm_has_not_requantize(name: str, low: float, high: float) -> None:
    cls = operator_class(name)
    assert cls is not None
    x = Tensor(0, "", (256,), DType.INT8, Quant((2.0**-4,), (3,)))
    out = Tensor(1, "", (256,), DType.INT8, Quant((2.0**-3,), (-100,)))
    assert list(cls().problems((x,), (out,))) == []
    real = np.clip((ALL_INT8.astype(float) - 3) / 16, low, high)
    expected = np.clip(np.floor(real * 8 + 0.5) - 100, -128, 127)
    np.testing.assert_array_equal(cls().reference((x,), (out,), (ALL_INT8,))[0], expected)


@pytest.mark.parametrize("name", ["SIN", "COS", "SQRT", "TANH", "ELU", "FLOOR", "CEIL", "ROUND"])
def test_functions_of_any_float_are_those_of_numpy(name: str) -> None:
    bits = np.random.default_rng(3).integers(0, 2**32, 50_000, np.uint32)
    special = np.array([0, np.inf, -np.inf, np.nan, 1e-45, 3.4e38, 8388607.5, -4194304.5], "f4")
    x = np.concatenate([special, bits.view(np.float32)])
    spec = TensorSpec(x.shape, "float32")
    graph = harness._read(models.single(name, (spec,), spec))
    (found,) = harness.native(graph, [(x,)])[0]
    (expected,) = harness.reference(graph, [(x,)])[0]
    np.testing.assert_array_equal(found, expected)
