"""AVERAGE_POOL_2D on Armv6-M: the tuned kernel on the board against the reference."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case
from tests.operators.on_board import assert_on_board
from tests.operators.strategies import Draw, activations, arrays, specs
from tests.tflite_models import TensorSpec

examples = settings(
    deadline=None, max_examples=3, suppress_health_check=list(HealthCheck), database=None
)


@st.composite
def pools(draw: Draw) -> Case:
    """Windows at borders, and whole words of channels."""
    window = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    smallest = window if padding == "VALID" else (1, 1)
    height, width = (size + draw(st.integers(0, 5)) for size in smallest)
    shape = (draw(st.integers(1, 2)), height, width, 4 * draw(st.integers(1, 3)))
    x = draw(specs(shape, "int8"))
    model = models.pool_2d(
        "AVERAGE_POOL_2D",
        x,
        window=window,
        padding=padding,
        stride=draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        activation=draw(activations),
    )
    return Case(model, tuple((draw(arrays(shape, "int8")),) for _ in range(2)))


def full() -> Case:
    """The largest window, of the largest and of the least values: halves are just full."""
    x = TensorSpec((1, 1, 257, 4), "int8", (1.0,), (0,))
    model = models.pool_2d("AVERAGE_POOL_2D", x, window=(1, 257))
    return Case(model, tuple((np.full(x.shape, value, np.int8),) for value in (127, -128)))


def test_averages() -> None:
    taken = 0

    @examples
    @given(cases=st.lists(pools(), min_size=12, max_size=12))
    def check(cases: list[Case]) -> None:
        nonlocal taken
        taken += len(assert_on_board([full(), *cases], "generic_m0plus", "average_pool_2d_s8_v6m"))

    check()
    assert taken >= 26
