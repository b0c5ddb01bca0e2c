"""ADD of int8 tensors (the first operator in the harness)."""

from __future__ import annotations

import numpy as np

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree


def test_sum_of_two() -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.integers(-128, 128, (3, 5), np.int8) for _ in range(2))
    spec = models.int8((3, 5), 0.3, -4)
    case = Case(models.add(spec, spec, models.int8((3, 5), 0.4, 7)), ((a, b), (b, a)))
    assert_all_agree(case)
