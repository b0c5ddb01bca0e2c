"""QUANTIZE and DEQUANTIZE between all types that TFLM knows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators import harness
from tests.operators.harness import Case, assert_all_agree
from tests.operators.strategies import Draw, arrays, examples, scales, seeds, shapes, zero_points
from tests.tflite_models import Array, TensorSpec
from tinysim.compiler.graph import DType, Quant, Tensor
from tinysim.compiler.ops.dequantize import Dequantize
from tinysim.compiler.ops.quantize import Quantize

INTEGERS = [
    ("int8", "int8"),
    ("int8", "uint8"),
    ("int8", "int16"),
    ("int8", "int32"),
    ("uint8", "int8"),
    ("int16", "int8"),
    ("int16", "int16"),
    ("int16", "int32"),
    ("int32", "int8"),
    ("int32", "int16"),
]


@st.composite
def quantized(draw: Draw, shape: tuple[int, ...], dtype: str, scale: float) -> TensorSpec:
    zero = 0 if dtype == "int32" else draw(zero_points(dtype))
    return TensorSpec(shape, dtype, (float(np.float32(scale)),), (zero,))


@st.composite
def requantizations(draw: Draw, x_type: str, out_type: str) -> Case:
    shape = draw(shapes)
    scale = draw(scales(-12, 4))
    x = draw(quantized(shape, x_type, scale))
    is_alike = draw(st.sampled_from([False, False, True]))  # uint8 and int8 of one scale
    ratio = 1.0 if is_alike else draw(scales(-4, 4) | scales(-8, 30))
    out = draw(quantized(shape, out_type, scale * ratio))
    steps = tuple((draw(arrays(shape, x_type)),) for _ in range(2))
    return Case(models.single("QUANTIZE", (x,), out), steps)


@pytest.mark.parametrize(("x_type", "out_type"), INTEGERS)
@examples
@given(data=st.data())
def test_requantization(x_type: str, out_type: str, data: st.DataObject) -> None:
    assert_all_agree(data.draw(requantizations(x_type, out_type)))


def float_values(scale: float, reach: int, seed: int) -> Array:
    """Steps, the halves between them, what lies just beside, and anything farther."""
    rng = np.random.default_rng(seed)
    halves = ((rng.integers(-reach, reach, 60) + 0.5) * scale).astype(np.float32)
    beside = [np.nextafter(halves, np.float32(end)) for end in (-np.inf, np.inf)]
    far = (rng.normal(size=60) * scale * reach * 4).astype(np.float32)
    return np.concatenate([halves, *beside, far])


@pytest.mark.parametrize("out_type", ["int8", "int16"])
@examples
@given(data=st.data(), seed=seeds)
def test_quantization_of_floats(out_type: str, data: st.DataObject, seed: int) -> None:
    scale = data.draw(scales(-12, 4))
    values = float_values(scale, 2 ** int(out_type.removeprefix("int")), seed)
    out = data.draw(quantized(values.shape, out_type, scale))
    assert_all_agree(Case(models.quantize(TensorSpec(values.shape, "float32"), out), ((values,),)))


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint8"])
@examples
@given(data=st.data())
def test_dequantization(dtype: str, data: st.DataObject) -> None:
    shape = data.draw(shapes)
    x = data.draw(quantized(shape, dtype, data.draw(scales(-30, 30))))
    assert_all_agree(Case(models.dequantize(x), ((data.draw(arrays(shape, dtype)),),)))


def both(op: Quantize | Dequantize, values: Array, x: Tensor, out: Tensor) -> list[Array]:
    """What reference and C make of an operator that TFLM has not for these types."""
    assert list(op.problems((x,), (out,))) == []
    (call,) = op.lower((x,), (out,))
    empty = np.zeros(out.shape, out.dtype.value)
    held = {0: harness.Framed.around(values), 1: harness.Framed.around(empty)}
    harness._run_kernel(call, held, held[1])
    return [op.reference((x,), (out,), (values,))[0], held[1].inner]


@pytest.mark.parametrize("rounding", ["away", "even"])
@pytest.mark.parametrize("dtype", [DType.INT8, DType.UINT8, DType.INT16])
def test_both_roundings_of_floats(dtype: DType, rounding: str) -> None:
    x = np.array([0.5, 1.5, 2.5, 2.49, 2.51, 3.5, -0.5, -1.5, -2.5, 1e9, -1e9, np.nan], np.float32)
    limits, zero = np.iinfo(dtype.value), 7
    away = np.array([1, 2, 3, 2, 3, 4, -1, -2, -3])
    even = np.array([0, 2, 2, 2, 3, 4, 0, -2, -2])
    expected = [*((even if rounding == "even" else away) + zero), limits.max, *[limits.min] * 2]
    out = Tensor(1, "", x.shape, dtype, Quant((1.0,), (zero,)))
    for found in both(Quantize(rounding), x, Tensor(0, "", x.shape, DType.FLOAT32), out):
        np.testing.assert_array_equal(found, expected)


def test_int32_becomes_floats() -> None:
    x = np.array([0, 1, -3, 2**31 - 1, -(2**31)], np.int32)
    source = Tensor(0, "", x.shape, DType.INT32, Quant((0.5,), (0,)))
    for found in both(Dequantize(), x, source, Tensor(1, "", x.shape, DType.FLOAT32)):
        np.testing.assert_array_equal(found, x.astype(np.float32) * np.float32(0.5))
