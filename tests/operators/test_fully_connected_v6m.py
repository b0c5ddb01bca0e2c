"""FULLY_CONNECTED on Armv6-M, against the numpy reference, in the emulator."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case
from tests.operators.on_board import assert_on_board
from tests.operators.weights import ACTIVATIONS, Draw, layers, steps
from tinysim.compiler.graph import Array
from tinysim.compiler.variants import fully_connected_s8_v6m as variant
from tinysim.compiler.variants._requantize_v6m import V6mChannels
from tinysim.compiler.variants.fully_connected_s8_v6m import stream

BOARD = "generic_m0plus"
BOARDS = (BOARD, "generic_m0", "generic_m3")
NAME = "fully_connected_s8_v6m"
examples = settings(deadline=None, max_examples=3, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def _small_layers_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variant, "LEAST_PRODUCTS", 0)


@st.composite
def dense(draw: Draw) -> Case:
    """Sizes that are multiples of something, and others."""
    batches, length, outputs = draw(
        st.tuples(
            st.integers(1, 3),
            st.sampled_from([1, 3, 7, 8, 16, 33, 64]),
            st.sampled_from([1, 2, 3, 4, 7, 12]),
        )
    )
    x = models.int8((batches, length), 0.5, draw(st.sampled_from([-128, 0, 127, -3])))
    filter_, bias, out = draw(layers("int8", x, (outputs, length), axis=0))
    return draw(
        steps(models.fully_connected(x, filter_, bias, out, activation=draw(ACTIVATIONS)), x)
    )


def test_equals_the_reference() -> None:
    taken = 0

    @examples
    @given(cases=st.lists(dense(), min_size=12, max_size=12))
    def check(cases: list[Case]) -> None:
        nonlocal taken
        taken += len(assert_on_board(cases, BOARD, NAME))

    check()
    assert taken > 3


def layer(weights: Array, scale: float, activation: str = "NONE", zero_point: int = 3) -> Case:
    """A layer whose inputs are the largest that there are, and others."""
    rng = np.random.default_rng(1)
    outputs, length = weights.shape
    x = models.int8((2, length), 0.5, -7)
    filter_ = models.constant(weights.astype(np.int8), (scale,) * outputs, axis=0)
    bias = models.constant(rng.integers(-3000, 3000, outputs, np.int32))
    model = models.fully_connected(
        x, filter_, bias, models.int8((), 1 / 50, zero_point), activation=activation
    )
    values = rng.choice(np.array([-128, 127], np.int8), (3, 2, length))
    values[2] = rng.integers(-128, 127, values[2].shape, np.int8, endpoint=True)
    return Case(model, tuple((value,) for value in values))


@pytest.mark.parametrize("board", BOARDS)
def test_extremes(board: str) -> None:
    rng = np.random.default_rng(2)
    small = rng.integers(-31, 32, (8, 24))
    small[0] = 31
    small[1] = -31
    small[4, :8] = [0, 0, 0, 0, 0, -128, -127, 0]  # the largest that 16 bits hold
    mixed = np.concatenate([small, rng.integers(-128, 128, (8, 24))])
    deep = np.full((4, 304), 127)
    deep[1] *= -1
    cases = [
        layer(small, 2.0**-9),
        layer(mixed, 2.0**-9, "RELU", -128),
        layer(np.full((5, 16), -128), 2.0**-11, "RELU6", -90),
        layer(deep, 2.0**-15),  # accumulators beyond 2^21
        layer(np.repeat(small, 20, axis=1), 2.0**-12),
    ]
    assert len(assert_on_board(cases, board, NAME)) == len(cases)


@pytest.mark.parametrize(("weight", "is_pair"), [(31, 1), (-31, 1), (33, 0), (-33, 0)])
def test_pairs_where_eight_products_fit_16_bits(weight: int, is_pair: int) -> None:
    weights = np.zeros((4, 16), np.int64)
    weights[3, 8:] = weight
    zeros = np.zeros(4, np.int64)
    words, share = stream(V6mChannels(weights, zeros, zeros, zeros, offset=0, limit=0))
    assert (words[0], share) == (is_pair, is_pair)
    assert len(words) == 1 + 16 + 12
