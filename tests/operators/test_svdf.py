"""SVDF: int8 with a memory of int8 or int16, and float32, over several inferences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree
from tests.tflite_models import OperatorSpec, TensorSpec

STEPS = 6
zero_points = st.one_of(st.integers(-128, 127), st.sampled_from([-128, 0, 127]))
sizes = st.integers(1, 9)


def svdf(
    x: TensorSpec,
    feature: TensorSpec,
    time: TensorSpec,
    bias: TensorSpec,
    state: TensorSpec,
    out: TensorSpec,
    activation: str = "NONE",
) -> bytes:
    """Return an SVDF whose state and output have the shapes that follow."""
    batches, filters = x.shape[0], feature.shape[0]
    units = bias.shape[0]
    state = replace(state, shape=(batches, filters * time.shape[1]), is_variable=True)
    options = {"Rank": filters // units, "FusedActivationFunction": activation}
    tensors = [x, feature, time, bias, state, replace(out, shape=(batches, units))]
    return models.build_model(tensors, [OperatorSpec("SVDF", range(5), [5], options)], [0], [5])


@st.composite
def integers(draw: st.DrawFn, memory_type: str) -> Case:
    batches, features, units, rank, memory = (draw(sizes) for _ in range(5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    is_wide = memory_type == "int16"
    high = 32767 if is_wide else 127
    filters = units * rank
    x = models.int8((batches, features), 2.0 ** draw(st.integers(-8, -2)), draw(zero_points))
    feature_scale, time_scale = (2.0 ** draw(st.floats(-9, -5)) for _ in range(2))
    spread = 74 * 74 * features**0.5 * x.scales[0] * feature_scale
    state_scale = spread / (high / 2) * 2.0 ** draw(st.sampled_from([-1, 0, 0.5, 1]))
    state = TensorSpec(
        (), memory_type, (state_scale,), (0 if is_wide else draw(zero_points),), name="state"
    )
    spread = (high / 2) * (0.58 * high) * (memory * rank) ** 0.5 * state_scale * time_scale
    out = models.int8((), spread / 64 * 2.0 ** draw(st.sampled_from([-1, 0, 0.5])), 0)
    out = replace(out, zero_points=(draw(zero_points),))
    feature = models.constant(
        rng.integers(-128, 128, (filters, features), np.int8), (feature_scale,)
    )
    # The sum over the memory must stay an int32: TFLM leaves open what happens else.
    limit = 2000 if is_wide else 128
    time = models.constant(
        rng.integers(-limit, limit, (filters, memory)).astype(memory_type), (time_scale,)
    )
    bias = rng.integers(-(2**14), 2**14, units, np.int32)
    model = svdf(x, feature, time, models.constant(bias, (state_scale * time_scale,)), state, out)
    steps = rng.integers(-128, 128, (STEPS, *x.shape), np.int8)
    return Case(model, tuple((step,) for step in steps))


@settings(deadline=None, max_examples=25)
@given(integers("int8"))
def test_memory_of_int8(case: Case) -> None:
    assert_all_agree(case)


@settings(deadline=None, max_examples=25)
@given(integers("int16"))
def test_memory_of_int16(case: Case) -> None:
    assert_all_agree(case)


@st.composite
def floats(draw: st.DrawFn) -> Case:
    batches, features, units, rank, memory = (draw(sizes) for _ in range(5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    filters = units * rank
    feature, time, bias = (
        models.constant(rng.normal(0, 1, shape).astype(np.float32))
        for shape in ((filters, features), (filters, memory), (units,))
    )
    activation = draw(st.sampled_from(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"]))
    x = models.float32((batches, features))
    float32 = models.float32(())
    model = svdf(x, feature, time, bias, float32, float32, activation)
    steps = rng.normal(0, 1, (STEPS, *x.shape)).astype(np.float32)
    return Case(model, tuple((step,) for step in steps))


@settings(deadline=None, max_examples=25)
@given(floats())
def test_float(case: Case) -> None:
    assert_all_agree(case, ulp=1)
