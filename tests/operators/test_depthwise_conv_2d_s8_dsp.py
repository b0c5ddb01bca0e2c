"""The tuned DEPTHWISE_CONV_2D of the cores with DSP, on emulated boards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case
from tests.operators.on_board import assert_on_board, read
from tests.operators.weights import ACTIVATIONS, ZERO_POINTS, Draw, layers, steps
from tests.tflite_models import Pair
from tinysim.boards import load_board
from tinysim.compiler.memory import plan_memory
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.passes import run_passes
from tinysim.compiler.variants import candidates, choose
from tinysim.firmware import Target
from tinysim.simulator.cores import load_core

#: One firmware an example: shrinking would build hundreds.
few = settings(
    deadline=None,
    max_examples=4,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)

CHANNELS = st.one_of(st.integers(1, 9), st.integers(4, 9))
WIDTHS = st.integers(1, 13)
BOARDS = ["generic_m4", "generic_m33", "generic_m7"]


@st.composite
def depthwise(
    draw: Draw,
    windows: st.SearchStrategy[Pair],
    strides: st.SearchStrategy[Pair],
    widths: st.SearchStrategy[int] = WIDTHS,
) -> Case:
    """A layer whose requantization has the short form more often than not."""
    window, stride, dilation = draw(windows), draw(strides), (1, 1)
    if window != (3, 3):
        dilation = (1, draw(st.sampled_from([1, 1, 2])))
    height, width = draw(st.integers(1, 15)), draw(widths)
    padding = draw(st.sampled_from(["SAME", "SAME", "VALID"]))
    if padding == "VALID":
        height, width = height + window[0] - 1, width + (window[1] - 1) * dilation[1]
    shape = (draw(st.sampled_from([1, 1, 2])), height, width, draw(CHANNELS))
    x = models.int8(shape, draw(st.sampled_from([0.01, 0.5])), draw(ZERO_POINTS))
    outputs = shape[3] * draw(st.sampled_from([1, 1, 1, 2, 3]))
    filter_ = (1, *window, outputs)
    model = models.depthwise_conv_2d(
        x,
        *draw(layers("int8", x, filter_, axis=3, needs_bias=True)),
        padding=padding,
        stride=stride,
        dilation=dilation,
        activation=draw(ACTIVATIONS),
    )
    return draw(steps(model, x))


def check_on_board(layer: st.SearchStrategy[Case], board: str, name: str, least: int) -> None:
    """Compute layers by the candidate; at least so many of them must be for it."""
    taken = 0

    @few
    @given(st.lists(layer, min_size=8, max_size=8))
    def check(cases: list[Case]) -> None:
        nonlocal taken
        taken += len(assert_on_board(cases, board, name))

    check()
    assert taken >= least, f"{name} was taken for {taken} layers only"


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("stride", [1, 2])
def test_3x3_equals_reference(board: str, stride: int) -> None:
    layer = depthwise(st.just((3, 3)), st.just((stride, stride)))
    check_on_board(layer, board, "depthwise_conv_2d_s8_dsp", 12)


@pytest.mark.parametrize("board", BOARDS)
def test_any_equals_reference(board: str) -> None:
    sides = st.integers(1, 5)
    layer = depthwise(st.tuples(sides, sides), st.tuples(st.integers(1, 4), st.integers(1, 4)))
    check_on_board(layer, board, "depthwise_conv_2d_s8_any_dsp", 12)


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("widths", [[1], range(1, 13)])
def test_rows_equals_reference(board: str, widths: Sequence[int]) -> None:
    columns = st.tuples(st.integers(1, 15), st.just(1))
    windows = st.one_of(columns, st.tuples(st.integers(1, 5), st.integers(1, 4)))
    layer = depthwise(windows, st.tuples(st.just(1), st.integers(1, 3)), st.sampled_from(widths))
    check_on_board(layer, board, "depthwise_conv_2d_s8_rows_dsp", 12)


@st.composite
def covering(draw: Draw) -> Case:
    """A layer whose filter covers the image."""
    window = (draw(st.integers(1, 15)), draw(st.integers(1, 3)))
    shape = (draw(st.integers(1, 2)), *window, draw(st.integers(4, 11)))
    x = models.int8(shape, 0.1, draw(ZERO_POINTS))
    filter_ = (1, *window, shape[3])
    model = models.depthwise_conv_2d(
        x,
        *draw(layers("int8", x, filter_, axis=3, needs_bias=True)),
        padding="VALID",
        stride=(1, 1),
        dilation=(1, 1),
        activation=draw(ACTIVATIONS),
    )
    return draw(steps(model, x))


@pytest.mark.parametrize("board", BOARDS)
def test_one_equals_reference(board: str) -> None:
    check_on_board(covering(), board, "depthwise_conv_2d_s8_one_dsp", 12)


def layer_of(shape: tuple[int, ...], window: Pair, stride: Pair, zero_point: int = 3) -> Case:
    """A layer with padding, random weights and a ReLU."""
    random = np.random.default_rng(sum(shape))
    channels = shape[3]
    x = models.int8(shape, 0.1, zero_point)
    scales = tuple(0.001 * (1 + c % 5) for c in range(channels))
    weights = random.integers(-128, 128, (1, *window, channels), "int8", endpoint=False)
    bias = random.integers(-5000, 5000, channels, "int32")
    model = models.depthwise_conv_2d(
        x,
        models.constant(weights, scales, 3),
        models.constant(bias, tuple(0.1 * scale for scale in scales)),
        models.int8((), 0.1, -128),
        padding="SAME",
        stride=stride,
        dilation=(1, 1),
        activation="RELU",
    )
    return Case(model, ((random.integers(-128, 128, shape, "int8", endpoint=False),),))


#: Candidate, and a layer for it.
LAYERS = [
    ("", (1, 25, 5, 12), (3, 3), 1),
    ("", (1, 9, 14, 7), (3, 3), 2),
    ("", (2, 8, 8, 6), (3, 3), 2),
    ("any_", (1, 7, 9, 10), (5, 5), 1),
    ("any_", (2, 11, 6, 4), (4, 3), 3),
    ("rows_", (1, 20, 1, 9), (5, 1), 1),
    ("rows_", (2, 6, 3, 5), (3, 3), 1),
]


@pytest.mark.parametrize(("name", "shape", "window", "stride"), LAYERS)
def test_output_lies_over_input(
    name: str, shape: tuple[int, ...], window: Pair, stride: int
) -> None:
    name = f"depthwise_conv_2d_s8_{name}dsp"
    case = layer_of(shape, window, (stride, stride))
    graph = run_passes(read(case.model), keeps_constant_channels=True)
    (node,) = graph.nodes
    (call,) = node.op.lower(node.inputs, node.outputs)
    found = {one.name: one.call for one in candidates(call, target_of("generic_m4"))}[name]
    plan = plan_memory(graph, ((found,),))
    assert plan.offsets[node.inputs[0].id] == plan.offsets[node.outputs[0].id]  # type: ignore
    assert plan.arena_bytes <= prod(shape) + 3 + found.scratch_bytes
    assert assert_on_board([case], "generic_m4", name)


def portable_call(case: Case) -> KernelCall:
    """Return the call that the layer lowers to."""
    (node,) = run_passes(read(case.model), keeps_constant_channels=True).nodes
    (call,) = node.op.lower(node.inputs, node.outputs)
    return call


def target_of(board: str) -> Target:
    """Return what the compiler knows of a board's core."""
    return load_core(load_board(board).core).target


@pytest.mark.parametrize(
    ("shape", "window", "name"),
    [
        ((1, 25, 5, 64), (3, 3), "_dsp"),
        ((1, 3, 3, 26), (3, 3), "_dsp"),
        ((1, 32, 1, 40), (5, 1), "_rows_dsp"),
        ((1, 20, 20, 16), (5, 5), "_any_dsp"),
    ],
)
def test_cheapest_is_for_the_shape(shape: tuple[int, ...], window: Pair, name: str) -> None:
    found = candidates(portable_call(layer_of(shape, window, (1, 1))), target_of("generic_m4"))
    assert choose(found, "speed").name == f"depthwise_conv_2d_s8{name}"


def test_what_no_kernel_takes_stays_portable() -> None:
    call = portable_call(layer_of((1, 6, 6, 8), (3, 3), (1, 1)))
    assert len(candidates(call, target_of("generic_m4"))) > 1
    assert not any("dsp" in one.name for one in candidates(call, target_of("generic_m3")))
    for changed in ({"rounding": 1}, {"filter_offset": 1}, {"dilation_h": 2}):
        other = replace(call, params={**call.params, **changed})
        assert len(candidates(other, target_of("generic_m4"))) == 1, changed
