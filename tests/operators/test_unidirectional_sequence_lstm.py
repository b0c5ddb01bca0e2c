"""UNIDIRECTIONAL_SEQUENCE_LSTM: int8, int16 and float32; states outlive inferences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree
from tests.tflite_models import OperatorSpec, TensorSpec

STEPS = 3
zero_points = st.one_of(st.integers(-128, 127), st.sampled_from([-128, 0, 127]))
sizes = st.integers(1, 6)


@st.composite
def lstms(draw: st.DrawFn, dtype: str) -> Case:
    is_float = dtype == "float32"
    batches, steps, features, units = (draw(sizes) for _ in range(4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    is_time_major = draw(st.booleans())
    rows = (steps, batches) if is_time_major else (batches, steps)
    power = draw(st.integers(-15, -9))

    def weights(shape: tuple[int, ...]) -> TensorSpec:
        if is_float:
            return models.constant(rng.normal(0, 0.7, shape).astype(np.float32))
        scale = 2.0 ** draw(st.floats(-9, -4))
        return models.constant(rng.integers(-127, 128, shape, np.int8), (scale,))

    bias_type = np.int64 if dtype == "int16" else np.int32

    def bias() -> TensorSpec:
        if is_float:
            return models.constant(rng.normal(0, 0.5, units).astype(np.float32))
        return models.constant(
            rng.integers(-3000, 3000, units, np.int32).astype(bias_type), (2.0**-12,)
        )

    if is_float:
        x = models.float32((*rows, features))
        hidden = cell = models.float32((batches, units))
        out = models.float32((*rows, units))
        values = rng.normal(0, 2, (STEPS, *x.shape)).astype(np.float32)
    elif dtype == "int16":
        x = TensorSpec((*rows, features), "int16", (2.0 ** draw(st.floats(-15, -9)),), (0,))
        hidden = TensorSpec((batches, units), "int16", (2.0 ** draw(st.floats(-16, -13)),), (0,))
        cell = TensorSpec((batches, units), "int16", (2.0**power,), (0,))
        out = replace(hidden, shape=(*rows, units))
        values = rng.integers(-32768, 32768, (STEPS, *x.shape), np.int16)
    else:
        x = models.int8((*rows, features), 2.0 ** draw(st.floats(-8, -4)), draw(zero_points))
        hidden = models.int8((batches, units), 2.0 ** draw(st.floats(-9, -6)), draw(zero_points))
        cell = TensorSpec((batches, units), "int16", (2.0**power,), (0,))
        out = replace(hidden, shape=(*rows, units))
        values = rng.integers(-128, 128, (STEPS, *x.shape), np.int8)
    tensors = [x, *(weights((units, features)) for _ in range(4))]
    tensors += [weights((units, units)) for _ in range(4)]
    tensors += [bias() for _ in range(4)]
    tensors += [replace(state, is_variable=True) for state in (hidden, cell)]
    inputs = [*range(9), -1, -1, -1, 9, 10, 11, 12, -1, -1, 13, 14, -1, -1, -1, -1]
    options = {
        "FusedActivationFunction": "TANH",
        "TimeMajor": is_time_major,
        "CellClip": draw(st.sampled_from([0.0, 0.0, 0.4, 10.0])),
    }
    operator = OperatorSpec("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [15], options)
    model = models.build_model([*tensors, out], [operator], [0], [15])
    return Case(model, tuple((value,) for value in values))


@settings(deadline=None, max_examples=25)
@given(lstms("int8"))
def test_int8(case: Case) -> None:
    assert_all_agree(case)


@settings(deadline=None, max_examples=25)
@given(lstms("int16"))
def test_int16(case: Case) -> None:
    assert_all_agree(case)


@settings(deadline=None, max_examples=25)
@given(lstms("float32"))
def test_float(case: Case) -> None:
    """The cell is larger than the output that is measured by, so its rounding weighs more."""
    assert_all_agree(case, ulp=16)
