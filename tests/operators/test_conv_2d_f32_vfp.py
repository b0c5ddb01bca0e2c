"""CONV_2D on float32 with an FPU: the tuned kernel on emulated boards, against the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.floats import (
    BOARDS,
    FINITE,
    ODD,
    Layers,
    assert_row_is_right,
    padded,
)
from tests.operators.harness import Case
from tests.operators.on_board import assert_on_board
from tests.operators.test_conv_2d import convolutions
from tinysim.compiler.variants._vfp import packed_bias, packed_filters

NAME = "conv_2d_f32_vfp"

#: Input ``[N, H, W, C]``, output channels, filter, stride, dilation, padding.
SHAPES = [
    *(((1, 1, pixels, 3), 5, (1, 1), (1, 1), (1, 1), "VALID") for pixels in range(1, 12)),
    *(((1, 2, 3, count), 9, (1, 1), (1, 1), (1, 1), "VALID") for count in range(1, 10)),
    *(((1, 1, 9, 6), channels, (1, 1), (1, 1), (1, 1), "SAME") for channels in range(1, 14)),
    ((2, 7, 6, 4), 8, (3, 3), (1, 1), (1, 1), "SAME"),
    ((2, 7, 6, 5), 6, (3, 3), (2, 2), (1, 1), "SAME"),
    ((1, 9, 8, 3), 8, (3, 2), (1, 1), (2, 3), "SAME"),
    ((1, 3, 2, 4), 4, (7, 9), (1, 1), (1, 1), "SAME"),
    ((1, 3, 2, 4), 4, (5, 5), (1, 1), (3, 3), "SAME"),
    ((1, 9, 6, 1), 12, (10, 4), (2, 2), (1, 1), "SAME"),
    ((2, 5, 5, 8), 7, (1, 1), (2, 2), (1, 1), "SAME"),
    ((3, 3, 3, 2), 4, (3, 3), (1, 1), (1, 1), "VALID"),
]


def own_cases(
    seed: int, activation: str, odd: tuple[float, ...] = (), weights: tuple[float, ...] = ()
) -> list[Case]:
    """All shapes with one activation."""
    layers = Layers(seed)
    return [
        layers.case(
            models.conv_2d(
                models.float32(shape),
                *layers.weights((channels, *window, shape[3]), 0, weights),
                padding=padding,
                stride=stride,
                dilation=dilation,
                activation=activation,
            ),
            shape,
            odd,
        )
        for shape, channels, window, stride, dilation, padding in SHAPES
    ]


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("activation", ["NONE", "RELU"])
def test_all_shapes(board: str, activation: str) -> None:
    assert len(assert_on_board(own_cases(1, activation), board, NAME)) == len(SHAPES)


@pytest.mark.parametrize("activation", ["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
def test_odd_numbers(activation: str) -> None:
    cases = own_cases(2, activation, ODD, FINITE)
    assert len(assert_on_board(cases, "generic_m4", NAME)) == len(SHAPES)


def test_zeros_have_the_signs_of_the_reference() -> None:
    layers, cases = Layers(3), []
    for count in (1, 2, 3):
        for bias in (None, -0.0, 0.0):
            ends = models.constant(np.full(6, bias, np.float32)) if bias is not None else None
            filter_ = models.constant(-np.abs(layers.values((6, 1, 1, count))))
            x = np.zeros((1, 1, 9, count), np.float32)
            model = models.conv_2d(models.float32(x.shape), filter_, ends, models.float32(()))
            cases.append(Case(model, ((x,), (x,))))
    assert len(assert_on_board(cases, "generic_m4", NAME)) == len(cases)


def test_windows_that_see_nothing_but_padding() -> None:
    layers, shape, cases = Layers(4), (1, 2, 3, 3), []
    for pads in (((0, 0), (7, 0)), ((0, 0), (0, 7)), ((5, 4), (6, 5))):
        for stride in ((1, 1), (2, 3)):
            weights = layers.weights((6, 2, 3, 3), 0)
            model = padded("CONV_2D", models.float32(shape), pads, weights, stride)
            cases.append(layers.case(model, shape))
    assert len(assert_on_board(cases, "generic_m4", NAME)) == len(cases)


@pytest.mark.parametrize("width", [4, 5, 7])
def test_outputs_lie_over_inputs_in_both_directions(tmp_path: Path, width: int) -> None:
    assert_row_is_right("CONV_2D", NAME, (1, 9, width, 6), (6, 3, 3, 6), tmp_path)


def test_equals_the_reference() -> None:
    taken: list[int] = []

    @settings(deadline=None, max_examples=4)
    @given(cases=st.lists(convolutions("float32"), min_size=12, max_size=12))
    def check(cases: list[Case]) -> None:
        taken.extend(assert_on_board(cases, "generic_m4", NAME))

    check()
    assert taken


def test_filters_lie_side_by_side_and_zeros_are_positive() -> None:
    rows = np.arange(6 * 2, dtype=np.float32).reshape(6, 2)
    packed = packed_filters(rows)
    assert packed.shape == (2, 2, 4)
    assert packed[0, 1].tolist() == [1, 3, 5, 7]
    assert packed[1, 0].tolist() == [8, 10, 0, 0]
    bias = packed_bias(np.array([-0.0, 2.0, -3.0], np.float32))
    assert bias.tolist() == [0, 2, -3, 0, 0, 0, 0, 0]
    assert not np.signbit(bias[0])
