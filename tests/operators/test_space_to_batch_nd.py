"""SPACE_TO_BATCH_ND."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.operators.harness import assert_all_agree
from tests.operators.movement import assert_ours_give, examples, ints, many, spec
from tinysim.errors import ModelError

small = st.integers(1, 3)
pads = st.integers(0, 3)


@examples
@given(
    dtype=st.sampled_from(["int8", "float32"]),
    block=st.tuples(small, small),
    size=st.tuples(*[small] * 4),
)
def test_without_padding(
    dtype: str, block: tuple[int, int], size: tuple[int, int, int, int]
) -> None:
    n, h, w, c = size
    out = spec((n * block[0] * block[1], h, w, c), dtype)
    x = spec((n, h * block[0], w * block[1], c), dtype)
    assert_all_agree(
        many("SPACE_TO_BATCH_ND", [x, ints(*block), ints((0, 0), (0, 0))], [out]),
    )


@examples
@given(
    dtype=st.sampled_from(["int8", "int16", "float32"]),
    block=st.tuples(small, small),
    size=st.tuples(*[small] * 4),
    left=st.tuples(pads, pads),
    more=st.tuples(pads, pads),
)
def test_padding_is_the_zero_point(
    dtype: str,
    block: tuple[int, int],
    size: tuple[int, int, int, int],
    left: tuple[int, int],
    more: tuple[int, int],
) -> None:
    """TFLM never sets the value that it pads with, so numpy says what is expected."""
    n, h, w, c = size
    right = tuple(
        -(extent + before) % step + step * extra
        for extent, before, step, extra in zip((h, w), left, block, more, strict=True)
    )
    widths = [(0, 0), (left[0], right[0]), (left[1], right[1]), (0, 0)]
    x = spec(size, dtype)
    height, width = h + sum(widths[1]), w + sum(widths[2])
    whole = (n * block[0] * block[1], height // block[0], width // block[1], c)
    inputs = [x, ints(*block), ints(*widths[1:3])]
    case = many("SPACE_TO_BATCH_ND", inputs, [spec(whole, dtype)])
    padded = np.pad(case.steps[0][0], widths, constant_values=x.zero_points[0] if x.scales else 0)
    split = padded.reshape(n, whole[1], block[0], whole[2], block[1], c)
    assert_ours_give(case, split.transpose(2, 4, 0, 1, 3, 5).reshape(whole))


@pytest.mark.parametrize(
    ("block", "widths"), [((2, 2), ((0, 0), (0, 0))), ((0, 1), ((0, 0), (0, 0)))]
)
def test_blocks_that_do_not_fit_are_refused(
    block: tuple[int, int], widths: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    inputs = [spec((1, 3, 3, 1), "int8"), ints(*block), ints(*widths)]
    case = many("SPACE_TO_BATCH_ND", inputs, [spec((4, 1, 1, 1), "int8")])
    with pytest.raises(ModelError, match="block"):
        assert_all_agree(case)
