"""BATCH_MATMUL of int8, int16 and float32."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree
from tests.tflite_models import Array, TensorSpec

Draw = st.DrawFn

examples = settings(deadline=None, max_examples=25)


def values_of(draw: Draw, dtype: str, shape: tuple[int, ...]) -> Array:
    """Spread values, or the two ends only."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if dtype == "float32":
        return random.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    if draw(st.booleans()):
        return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return random.choice(np.array([limits.min, limits.max], dtype), shape)


def spec(draw: Draw, dtype: str, shape: tuple[int, ...], scale: float) -> TensorSpec:
    """A tensor of one of the types; the zero point of int8 may stand at the ends."""
    if dtype == "float32":
        return models.float32(shape)
    zero_point = draw(st.sampled_from([0, 5, -128, 127])) if dtype == "int8" else 0
    return TensorSpec(shape, dtype, (float(np.float32(scale)),), (zero_point,))


@st.composite
def products(draw: Draw, dtype: str) -> Case:
    rows, columns, depth = (draw(st.integers(1, 6)) for _ in range(3))
    batch = tuple(draw(st.lists(st.integers(1, 3), max_size=3)))
    # One operand may repeat along batch axes; it may then lack the first of them.
    repeated = tuple(size if draw(st.booleans()) else 1 for size in batch)
    repeated = repeated[1:] if repeated[:1] == (1,) and draw(st.booleans()) else repeated
    batch_x, batch_y = draw(st.permutations([batch, repeated]))
    adj_x, adj_y = draw(st.booleans()), draw(st.booleans())
    shapes = [
        (*batch_x, depth, rows) if adj_x else (*batch_x, rows, depth),
        (*batch_y, columns, depth) if adj_y else (*batch_y, depth, columns),
    ]
    x, y = (spec(draw, dtype, shape, 2.0 ** draw(st.floats(-9, 0))) for shape in shapes)
    typical = 1.0
    if dtype != "float32":
        spread = np.iinfo(dtype).max / 2 * math.sqrt(depth)
        typical = x.scales[0] * y.scales[0] * spread * 2.0 ** draw(st.floats(-3, 3))
    out = spec(draw, dtype, (*batch, rows, columns), typical)
    values = tuple(values_of(draw, dtype, shape) for shape in shapes)
    again = tuple(values_of(draw, dtype, shape) for shape in shapes)
    options = {"AdjX": adj_x, "AdjY": adj_y}
    fixed = draw(st.sampled_from([None, 0, 1]))
    operands = [x, y]
    if fixed is not None:
        one = operands[fixed]
        operands[fixed] = TensorSpec(
            one.shape, dtype, one.scales, one.zero_points, data=values[fixed]
        )
        steps = ((values[1 - fixed],), (again[1 - fixed],))
        return Case(models.single("BATCH_MATMUL", operands, out, options), steps)
    return Case(models.single("BATCH_MATMUL", operands, out, options), (values, again))


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
@examples
@given(data=st.data())
def test_products_equal_tflm(dtype: str, data: st.DataObject) -> None:
    assert_all_agree(data.draw(products(dtype)))
