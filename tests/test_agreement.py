"""How far a device's outputs may lie from the host's: rounding is told from mistakes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import tinysim
from tests import tflite_models as models
from tinysim.agreement import FLOAT_STEPS, check_outputs, nudged

ONE = np.ones(1, np.float32)


def steps_above_one(steps: int) -> np.ndarray:
    return ONE + np.float32(steps) * np.spacing(ONE)


def test_floats_may_be_rounded_otherwise_and_integers_may_not() -> None:
    assert check_outputs([ONE], [ONE]).status == "exact"
    assert check_outputs([ONE], [steps_above_one(FLOAT_STEPS)]).status == "close"
    assert check_outputs([ONE], [steps_above_one(FLOAT_STEPS + 1)]).status == "mismatch"
    assert check_outputs([np.array([5])], [np.array([6])]).status == "mismatch"


def test_where_last_digits_mean_nothing_more_is_allowed() -> None:
    found = [steps_above_one(160)]
    assert check_outputs([ONE], found, lambda: [[steps_above_one(20)]]).status == "close"
    assert check_outputs([ONE], found, lambda: [[steps_above_one(19)]]).status == "mismatch"
    assert check_outputs([ONE], found, lambda: [[ONE * np.nan]]).status == "mismatch"
    assert check_outputs([ONE * np.nan], found, lambda: [[ONE]]).status == "mismatch"


def test_floats_are_nudged_by_one_and_integers_stay() -> None:
    floats, integers = np.array([1.0, -2.0, 0.0], np.float32), np.array([1, 2])
    seen = [nudged((floats, integers), seed) for seed in range(4)]
    for moved, kept in seen:
        assert moved.dtype == np.float32 and kept is integers
        lower, upper = (np.nextafter(floats, np.float32(end)) for end in (-np.inf, np.inf))
        assert ((moved == lower) | (moved == upper)).all()
    assert len({moved.tobytes() for moved, _ in seen}) > 1
    assert nudged((floats,), 1)[0].tobytes() == nudged((floats,), 1)[0].tobytes()


@pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="no arm-none-eabi-gcc: nothing can be run"
)
def test_a_sum_that_is_nearly_zero_is_not_called_wrong(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    weights = random.normal(0, 1, (1, 100)).astype(np.float32)
    x = random.normal(0, 1, (1, 100)).astype(np.float32)
    x[0, 0] -= np.float32((x.astype(np.float64) @ weights[0].astype(np.float64))[0] / weights[0, 0])
    bias = models.constant(np.zeros(1, np.float32))
    model = models.fully_connected(
        models.float32((1, 100)), models.constant(weights), bias, models.float32((1, 1))
    )
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    profile = tinysim.run(path, "generic_m0plus", inputs=[x])
    assert profile.output_check.max_ulp > FLOAT_STEPS
    assert profile.output_check.status == "close"
