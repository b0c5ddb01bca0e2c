"""L2_NORMALIZATION of int8 and float32."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree

examples = settings(deadline=None, max_examples=25)
seeds = st.integers(0, 2**32 - 1)
shapes = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple)


@examples
@given(
    shape=shapes,
    seed=seeds,
    zero_point=st.integers(-128, 127),
    spread=st.sampled_from([0, 1, 9, 127]),
)
@example(shape=(1, 32768), seed=0, zero_point=127, spread=0)
def test_rows_of_int8_equal_tflm(
    shape: tuple[int, ...], seed: int, zero_point: int, spread: int
) -> None:
    random = np.random.default_rng(seed)
    near = np.clip(zero_point + random.integers(-spread, spread + 1, shape), -128, 127)
    far = np.full(shape, -128)
    model = models.single(
        "L2_NORMALIZATION",
        (models.int8(shape, 0.3, zero_point),),
        models.int8(shape, 1 / 128, 0),
    )
    assert_all_agree(Case(model, ((near.astype("int8"),), (far.astype("int8"),))))


@examples
@given(shape=shapes, seed=seeds, power=st.floats(-70, 66))
@example(shape=(2, 3), seed=0, power=-60.0)
def test_rows_of_floats_equal_tflm(shape: tuple[int, ...], seed: int, power: float) -> None:
    values = np.random.default_rng(seed).normal(size=shape) * 2.0**power
    x = models.float32(shape)
    model = models.single("L2_NORMALIZATION", (x,), x)
    special = np.full(shape, np.inf)
    special.ravel()[-1] = np.nan
    steps = tuple((array.astype("float32"),) for array in (values, values * 0, special))
    assert_all_agree(Case(model, steps))
