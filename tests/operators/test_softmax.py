"""SOFTMAX of float32, int8 and int16, to int8 and int16."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree
from tests.tflite_models import TensorSpec

Draw = st.DrawFn

examples = settings(deadline=None, max_examples=25)
seeds = st.integers(0, 2**32 - 1)
shapes = st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple)

#: Scale, zero point and the scales of inputs in powers of two, by types of input and output.
OUTPUTS = {
    ("int8", "int8"): (1 / 256, -128, -12, 3),
    ("int8", "int16"): (1 / 65536, -32768, -12, 3),
    ("int16", "int16"): (1 / 32768, 0, -22, -2),
}


def softmax(dtypes: tuple[str, str], shape: tuple[int, ...], scale: float, beta: float) -> bytes:
    """A softmax of integers."""
    out_scale, out_zero_point, *_ = OUTPUTS[dtypes]
    x = TensorSpec(shape, dtypes[0], (float(np.float32(scale)),), (0,))
    out = TensorSpec(shape, dtypes[1], (out_scale,), (out_zero_point,))
    return models.single("SOFTMAX", (x,), out, {"Beta": beta})


@st.composite
def integers(draw: Draw, dtypes: tuple[str, str]) -> Case:
    shape = (*draw(shapes), draw(st.integers(1, 40)))
    scale = 2.0 ** draw(st.floats(*OUTPUTS[dtypes][2:]))
    limits, random = np.iinfo(dtypes[0]), np.random.default_rng(draw(seeds))
    spread = draw(st.sampled_from([1, 8, 200]))
    values = random.integers(limits.min // spread, limits.max // spread, shape, dtypes[0])
    model = softmax(dtypes, shape, scale, draw(st.sampled_from([1.0, 0.25, 3.0])))
    return Case(model, ((values,), (random.choice([limits.min, limits.max], shape),)))


@pytest.mark.parametrize("dtypes", OUTPUTS)
@examples
@given(data=st.data())
def test_softmax_of_integers_equals_tflm(dtypes: tuple[str, str], data: st.DataObject) -> None:
    case = data.draw(integers(dtypes))
    steps = tuple(tuple(values.astype(dtypes[0]) for values in step) for step in case.steps)
    assert_all_agree(Case(case.model, steps))


@pytest.mark.parametrize("depth", [1, 2, 1000, 4096])
def test_long_flat_rows_of_int16_equal_tflm(depth: int) -> None:
    model = softmax(("int16", "int16"), (1, depth), 2.0**-12, 1.0)
    flat = np.full((1, depth), 77, "int16")
    steep = np.arange(depth, dtype="int16").reshape(1, depth)
    assert_all_agree(Case(model, ((flat,), (steep,))))


def test_every_distance_of_int16_equals_tflm() -> None:
    model = softmax(("int16", "int16"), (32768, 2), 10 / 65535, 1.0)
    x = np.stack([np.full(32768, 32767), np.arange(-32768, 32768, 2)], axis=1)
    assert_all_agree(Case(model, ((x.astype("int16"),),)))


@examples
@given(shape=shapes, seed=seeds, beta=st.sampled_from([1.0, 0.3]), spread=st.floats(-9, 12))
@example(shape=(2, 40), seed=1, beta=1.0, spread=3.0)
def test_softmax_of_floats_equals_tflm(
    shape: tuple[int, ...], seed: int, beta: float, spread: float
) -> None:
    values = np.random.default_rng(seed).normal(size=shape) * 2.0**spread
    x = models.float32(shape)
    model = models.single("SOFTMAX", (x,), x, {"Beta": beta})
    # The C library's expf is not rounded correctly everywhere, and the sum carries that on.
    assert_all_agree(Case(model, ((values.astype("float32"),),)), ulp=1)
