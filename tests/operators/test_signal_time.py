"""What moves signals in time: delay, framer, stacker, overlap and add."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.operators.harness import (
    Case,
    _read,
    assert_all_agree,
    assert_equal,
    in_arena,
    native,
    oracle,
    reference,
)
from tests.operators.test_signal import audio, custom, examples, seeds, tensor
from tinysim.errors import ModelError

STEPS = 6
sizes = st.integers(1, 9)


def assert_valid_ones_agree(case: Case) -> None:
    """Compare with TFLM what it says is valid; the rest it leaves as it is."""
    graph = _read(case.model)
    ours = reference(graph, case.steps)
    assert_equal(native(graph, case.steps), ours, 0, "our C, our reference")
    assert_equal(in_arena(graph, case.steps), ours, 0, "our C in the arena, our reference")
    for (out, valid), (expected, is_valid) in zip(ours, oracle(case), strict=True):
        np.testing.assert_array_equal(valid, is_valid)
        if is_valid.all():
            np.testing.assert_array_equal(out, expected)


@examples
@given(rows=st.integers(1, 3), samples=sizes, delay=st.integers(1, 20), seed=seeds)
def test_delay(rows: int, samples: int, delay: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = tensor((rows, samples), "int16")
    model = custom("SignalDelay", [x], [x], {"delay_length": delay})
    assert_all_agree(Case(model, tuple((audio(rng, x.shape),) for _ in range(STEPS))))


@examples
@given(
    rows=st.integers(1, 3),
    frames=st.integers(1, 3),
    step=sizes,
    more=st.integers(0, 20),
    prefill=st.booleans(),
    seed=seeds,
)
def test_framer(rows: int, frames: int, step: int, more: int, prefill: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = tensor((rows, frames * step), "int16")
    outputs = [tensor((rows, frames, step + more), "int16"), tensor((), "bool")]
    options = {"frame_size": step + more, "frame_step": step, "prefill": prefill}
    model = custom("SignalFramer", [x], outputs, options)
    assert_valid_ones_agree(Case(model, tuple((audio(rng, x.shape),) for _ in range(STEPS))))


@examples
@given(channels=sizes, left=st.integers(0, 3), right=st.integers(0, 3), seed=seeds, data=st.data())
def test_stacker(channels: int, left: int, right: int, seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    x = tensor((channels,), "int16")
    rows = left + 1 + right
    outputs = [tensor((rows * channels,), "int16"), tensor((), "bool")]
    options = {
        "num_channels": channels,
        "stacker_left_context": left,
        "stacker_right_context": right,
        "stacker_step": data.draw(st.integers(1, rows)),
    }
    model = custom("SignalStacker", [x], outputs, options)
    assert_valid_ones_agree(Case(model, tuple((audio(rng, x.shape),) for _ in range(12))))


@pytest.mark.parametrize("dtype", ["int16", "float32"])
@examples
@given(rows=st.integers(1, 3), frames=st.integers(1, 3), size=sizes, seed=seeds, data=st.data())
def test_overlap_add(
    dtype: str, rows: int, frames: int, size: int, seed: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    step = data.draw(st.integers(1, size))
    x, out = tensor((rows, frames, size), dtype), tensor((rows, frames * step), dtype)
    # TFLM reads the type, by its number in the format, and the step by its place behind it.
    options = {"T": {"int16": 7, "float32": 0}[dtype], "frame_step": step}
    model = custom("SignalOverlapAdd", [x], [out], options)
    steps = tuple((audio(rng, x.shape).astype(dtype),) for _ in range(STEPS))
    assert_all_agree(Case(model, steps))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SignalDelay", {"delay_length": 0}),
        ("SignalFramer", {"frame_size": 2, "frame_step": 4, "prefill": True}),
        ("SignalStacker", {"num_channels": 4}),
        ("SignalOverlapAdd", {"T": 7, "frame_step": 9}),
    ],
)
def test_sizes_that_do_not_fit_are_refused(name: str, options: dict[str, int]) -> None:
    x = tensor((1, 4), "int16")
    model = custom(name, [x], [tensor((1, 4), "int16"), tensor((), "bool")], options)
    with pytest.raises(ModelError):
        _read(model)
