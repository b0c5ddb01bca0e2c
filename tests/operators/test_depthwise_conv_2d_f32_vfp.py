"""DEPTHWISE_CONV_2D on float32 with an FPU: the tuned kernel, against the reference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
from tests.operators.test_depthwise_conv_2d import convolutions
from tinysim.compiler.readers import read_model
from tinysim.compiler.variants import candidates
from tinysim.simulator.cores import load_core

NAME = "depthwise_conv_2d_f32_vfp"

#: Input ``[N, H, W, C]``, filter, stride, dilation, padding.
SHAPES = [
    *(((1, 3, 4, channels), (2, 2), (1, 1), (1, 1), "SAME") for channels in range(4, 22)),
    *(((1, 4, width, 8), (3, 3), (1, 1), (1, 1), "SAME") for width in range(1, 12)),
    *(((1, 4, width, 12), (3, 3), (1, 1), (1, 1), "VALID") for width in range(3, 12)),
    *(((1, 5, 8, 4), (high, 3), (1, 1), (1, 1), "SAME") for high in (1, 2, 4, 9)),
    ((1, 7, 8, 4), (3, 3), (2, 1), (1, 1), "SAME"),
    ((1, 7, 8, 4), (3, 3), (1, 2), (1, 1), "SAME"),
    ((1, 7, 8, 4), (3, 3), (1, 1), (2, 1), "SAME"),
    ((1, 7, 8, 8), (3, 3), (1, 1), (1, 2), "SAME"),
    ((2, 7, 8, 10), (3, 3), (2, 2), (1, 1), "SAME"),
    ((2, 5, 6, 8), (3, 3), (1, 1), (1, 1), "SAME"),
    ((1, 9, 1, 20), (5, 1), (1, 1), (1, 1), "VALID"),
    ((1, 2, 3, 8), (5, 6), (1, 1), (2, 3), "SAME"),
]


def own_cases(
    seed: int, activation: str, odd: tuple[float, ...] = (), weights: tuple[float, ...] = ()
) -> list[Case]:
    """All shapes with one activation."""
    layers = Layers(seed)
    return [
        layers.case(
            models.depthwise_conv_2d(
                models.float32(shape),
                *layers.weights((1, *window, shape[3]), 3, weights),
                padding=padding,
                stride=stride,
                dilation=dilation,
                activation=activation,
            ),
            shape,
            odd,
        )
        for shape, window, stride, dilation, padding in SHAPES
    ]


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("activation", ["NONE", "RELU"])
def test_all_shapes(board: str, activation: str) -> None:
    assert len(assert_on_board(own_cases(1, activation), board, NAME)) == len(SHAPES)


@pytest.mark.parametrize("activation", ["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
def test_odd_numbers(activation: str) -> None:
    cases = own_cases(2, activation, ODD, FINITE)
    assert len(assert_on_board(cases, "generic_m4", NAME)) == len(SHAPES)


def test_windows_that_see_nothing_but_padding() -> None:
    layers, shape, cases = Layers(4), (1, 2, 4, 12), []
    for pads in (((0, 0), (7, 0)), ((0, 0), (0, 7)), ((5, 4), (6, 5))):
        for stride in ((1, 1), (2, 3)):
            weights = layers.weights((1, 2, 3, 12), 3)
            model = padded("DEPTHWISE_CONV_2D", models.float32(shape), pads, weights, stride)
            cases.append(layers.case(model, shape))
    assert len(assert_on_board(cases, "generic_m4", NAME)) == len(cases)


def test_one_channel_is_a_convolution() -> None:
    layers, cases = Layers(7), []
    for outputs in (1, 3, 8):
        for padding, stride in (("SAME", (2, 1)), ("VALID", (1, 1))):
            weights = layers.weights((1, 4, 3, outputs), 3, FINITE)
            x = models.float32((2, 9, 5, 1))
            model = models.depthwise_conv_2d(x, *weights, padding=padding, stride=stride)
            cases.append(layers.case(model, x.shape, ODD))
    assert len(assert_on_board(cases, "generic_m4", "conv_2d_f32_vfp")) == len(cases)


@pytest.mark.parametrize("channels", [8, 20, 6])
@pytest.mark.parametrize("width", [5, 8])
def test_outputs_lie_over_inputs_in_both_directions(
    tmp_path: Path, channels: int, width: int
) -> None:
    weights = (1, 3, 3, channels)
    assert_row_is_right("DEPTHWISE_CONV_2D", NAME, (1, 9, width, channels), weights, tmp_path)


@pytest.mark.parametrize("width", [5, 6, 8])
@pytest.mark.parametrize("is_backward", [False, True])
def test_the_distance_that_the_overlap_asks_for_is_the_least(
    width: int, is_backward: bool, tmp_path: Path
) -> None:
    """Any distance from the rule's on is right; a little below it, some are not."""
    channels = 12
    layers, shape = Layers(6), (1, 5, width, channels)
    weights = layers.weights((1, 3, 3, channels), 3)
    model = models.depthwise_conv_2d(models.float32(shape), *weights, padding="SAME")
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    (node,) = read_model(path).nodes
    (call,) = node.op.lower(node.inputs, node.outputs)
    tuned = candidates(call, load_core("cortex_m4f").target)[0]
    assert tuned.name == NAME and tuned.call.overlaps is not None
    rule = tuned.call.overlaps[0]
    distance = rule.backward if is_backward else rule.forward
    assert distance is not None
    order = list(accesses(*shape[1:], is_backward=is_backward))
    first = distance // 4
    assert all(is_kept(order, d, is_backward) for d in range(first, first + 2 * channels))
    assert not all(is_kept(order, d, is_backward) for d in range(first - channels, first))


def accesses(
    height: int, width: int, channels: int, *, is_backward: bool
) -> Iterator[tuple[set[int], set[int]]]:
    """Yield what the kernel reads and then writes, turn by turn, as indices of floats."""

    def at(y: int, x: int, first: int, count: int) -> set[int]:
        return set(range(place := (y * width + x) * channels + first, place + count))

    for y in sorted(range(height), reverse=is_backward):
        done = 0
        while done < width:
            x = width - done - 3 if is_backward else done
            pixels = 3 if x >= 1 and x + 3 <= width - 1 else 1
            x = width - done - pixels if is_backward else done
            lanes = 4 if pixels == 3 else channels  # a pixel's turns are taken as one
            for first in sorted(range(0, channels, lanes), reverse=is_backward):
                seen = [
                    at(i, j, first, lanes)
                    for i in range(max(y - 1, 0), min(y + 2, height))
                    for j in range(max(x - 1, 0), min(x + pixels + 1, width))
                ]
                written = [at(y, x + p, first, lanes) for p in range(pixels)]
                yield set().union(*seen), set().union(*written)
            done += pixels


def is_kept(order: list[tuple[set[int], set[int]]], distance: int, is_backward: bool) -> bool:
    """Whether nothing is overwritten that is still to be read, ``distance`` floats apart."""
    shift = distance if is_backward else -distance
    later: set[int] = set()
    for read, written in reversed(order):
        if later & {place + shift for place in written}:
            return False
        later |= read
    return True


def test_equals_the_reference() -> None:
    taken: list[int] = []

    @settings(deadline=None, max_examples=4)
    @given(cases=st.lists(convolutions("float32"), min_size=16, max_size=16))
    def check(cases: list[Case]) -> None:
        taken.extend(assert_on_board(cases, "generic_m4", NAME))

    check()
    assert taken
