"""RESIZE_NEAREST_NEIGHBOR."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.operators.harness import assert_all_agree
from tests.operators.movement import dtypes, examples, ints, many, spec

sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))


@examples
@given(
    dtype=dtypes,
    size=sizes,
    out=sizes,
    aligned=st.booleans(),
    centred=st.booleans(),
)
def test_resize_nearest_neighbor(
    dtype: str, size: tuple[int, int], out: tuple[int, int], aligned: bool, centred: bool
) -> None:
    options = {"AlignCorners": aligned, "HalfPixelCenters": centred}
    inputs = [spec((2, *size, 3), dtype), ints(*out)]
    case = many("RESIZE_NEAREST_NEIGHBOR", inputs, [spec((2, *out, 3), dtype)], options)
    assert_all_agree(case)
