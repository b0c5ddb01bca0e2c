"""RESIZE_BILINEAR: both types to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.operators.harness import assert_all_agree
from tests.operators.movement import examples, ints, many, spec
from tinysim.errors import ModelError

sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))


@examples
@given(
    dtype=st.sampled_from(["int8", "float32"]),
    size=sizes,
    out=sizes,
    mode=st.sampled_from(["plain", "AlignCorners", "HalfPixelCenters"]),
    seed=st.integers(0, 999),
)
def test_resize_bilinear(
    dtype: str, size: tuple[int, int], out: tuple[int, int], mode: str, seed: int
) -> None:
    options = {} if mode == "plain" else {mode: True}
    x = spec((2, *size, 3), dtype)
    case = many("RESIZE_BILINEAR", [x, ints(*out)], [spec((2, *out, 3), dtype)], options)
    random = np.random.default_rng(seed)
    if dtype == "int8":
        values = random.integers(-128, 128, x.shape, "int8")
    else:
        values = random.normal(size=x.shape).astype("float32")
    assert_all_agree(replace(case, steps=((values,), case.steps[0])))


def test_both_modes_at_once_are_refused() -> None:
    inputs = [spec((1, 2, 2, 1), "int8"), ints(3, 3)]
    options = {"AlignCorners": True, "HalfPixelCenters": True}
    with pytest.raises(ModelError, match="exclude each other"):
        assert_all_agree(many("RESIZE_BILINEAR", inputs, [spec((1, 3, 3, 1), "int8")], options))
