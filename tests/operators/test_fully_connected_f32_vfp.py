"""FULLY_CONNECTED on float32 with an FPU: the tuned kernel, against the reference."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.floats import BOARDS, FINITE, ODD, Layers
from tests.operators.harness import Case
from tests.operators.on_board import assert_on_board
from tests.operators.test_fully_connected import products

NAME = "fully_connected_f32_vfp"

#: Rows, features, outputs.
SHAPES = [
    *((1, count, 8) for count in range(1, 14)),
    *((1, 5, outputs) for outputs in range(4, 26)),
    *((batches, 7, 11) for batches in (2, 3, 6)),
]


def own_cases(
    seed: int, activation: str, odd: tuple[float, ...] = (), weights: tuple[float, ...] = ()
) -> list[Case]:
    """All shapes with one activation."""
    layers, cases = Layers(seed), []
    for rows, count, outputs in SHAPES:
        filter_, bias, out = layers.weights((outputs, count), 0, weights)
        out = replace(out, shape=(rows, outputs))
        options = {"FusedActivationFunction": activation}
        x = models.float32((rows, count))
        model = models.single("FULLY_CONNECTED", (x, filter_, bias), out, options)
        cases.append(layers.case(model, x.shape, odd))
    return cases


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("activation", ["NONE", "RELU"])
def test_all_shapes(board: str, activation: str) -> None:
    assert len(assert_on_board(own_cases(1, activation), board, NAME)) == len(SHAPES)


@pytest.mark.parametrize("activation", ["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
def test_odd_numbers(activation: str) -> None:
    cases = own_cases(2, activation, ODD, FINITE)
    assert len(assert_on_board(cases, "generic_m4", NAME)) == len(SHAPES)


def test_few_outputs_are_left_to_the_portable_kernel() -> None:
    x, layers, cases = models.float32((1, 9)), Layers(3), []
    for outputs in (1, 2, 3):
        filter_, bias, out = layers.weights((outputs, 9), 0)
        options = {"FusedActivationFunction": "NONE"}
        ends = (x, filter_, bias)
        model = models.single("FULLY_CONNECTED", ends, replace(out, shape=(1, outputs)), options)
        cases.append(layers.case(model, x.shape))
    assert assert_on_board(cases, "generic_m4", NAME) == {}


def test_equals_the_reference() -> None:
    taken: list[int] = []

    @settings(deadline=None, max_examples=4)
    @given(cases=st.lists(products("float32"), min_size=12, max_size=12))
    def check(cases: list[Case]) -> None:
        taken.extend(assert_on_board(cases, "generic_m4", NAME))

    check()
    assert taken
