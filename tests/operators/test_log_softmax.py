"""LOG_SOFTMAX of int8."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree

shapes = st.lists(st.integers(1, 12), min_size=1, max_size=3).map(tuple)


@settings(deadline=None, max_examples=25)
@given(shape=shapes, seed=st.integers(0, 2**32 - 1), power=st.floats(-14, 3))
@example(shape=(1, 4095), seed=0, power=-14.0)
@example(shape=(40, 30), seed=0, power=-4.0)
def test_rows_of_int8_equal_tflm(shape: tuple[int, ...], seed: int, power: float) -> None:
    random = np.random.default_rng(seed)
    x = models.int8(shape, 2.0**power, 3)
    model = models.single("LOG_SOFTMAX", (x,), models.int8(shape, 1 / 16, 127))
    spread = random.integers(-128, 128, shape, "int8")
    ends = random.choice(np.array([-128, 127], "int8"), shape)
    assert_all_agree(Case(model, ((spread,), (ends,), (spread // 8,))))
