"""BATCH_TO_SPACE_ND."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.operators.harness import assert_all_agree
from tests.operators.movement import examples, ints, many, spec

four = st.tuples(*[st.integers(0, 2)] * 4)


@examples
@given(
    dtype=st.sampled_from(["int8", "float32"]),
    block=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.tuples(*[st.integers(1, 4)] * 4),
    crops=four,
)
def test_batch_to_space_nd(
    dtype: str,
    block: tuple[int, int],
    size: tuple[int, int, int, int],
    crops: tuple[int, int, int, int],
) -> None:
    n, h, w, c = size
    out = (n, h * block[0] - crops[0] - crops[1], w * block[1] - crops[2] - crops[3], c)
    assume(min(out) > 0)
    x = spec((n * block[0] * block[1], h, w, c), dtype)
    inputs = [x, ints(*block), ints(crops[:2], crops[2:])]
    assert_all_agree(many("BATCH_TO_SPACE_ND", inputs, [spec(out, dtype)]))
