"""DEPTHWISE_CONV_2D on Armv6-M: the tuned kernels on the board against the reference."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case
from tests.operators.on_board import assert_on_board
from tests.operators.weights import (
    ACTIVATIONS,
    PADDINGS,
    PAIRS,
    STEPS,
    Draw,
    images,
    layers,
    steps,
)
from tests.tflite_models import Pair
from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import depthwise_s8_v6m

BOARD = "generic_m0plus"
examples = settings(
    deadline=None, max_examples=4, suppress_health_check=list(HealthCheck), database=None
)


@st.composite
def convolutions(
    draw: Draw,
    windows: st.SearchStrategy[Pair],
    strides: st.SearchStrategy[Pair],
    activations: st.SearchStrategy[str],
    dilations: st.SearchStrategy[Pair],
) -> Case:
    window, dilation, padding = draw(windows), draw(dilations), draw(PADDINGS)
    x = draw(images("int8", window, dilation, padding, draw(st.integers(1, 6))))
    shape = (1, *window, x.shape[3] * draw(st.sampled_from([1, 1, 2])))
    model = models.depthwise_conv_2d(
        x,
        *draw(layers("int8", x, shape, axis=3, needs_bias=True)),
        padding=padding,
        stride=draw(strides),
        dilation=dilation,
        activation=draw(activations),
    )
    return draw(steps(model, x))


def threes() -> st.SearchStrategy[Case]:
    """Filters of 3 x 3 as the special kernel takes them; each kind of stride along each axis."""
    strides = st.tuples(st.integers(1, 4), st.integers(1, 2)) | st.tuples(
        st.integers(1, 2), st.integers(1, 3)
    )
    return convolutions(
        st.just((3, 3)), strides, st.sampled_from(["RELU", "RELU6"]), st.just((1, 1))
    )


def test_three_by_three() -> None:
    taken = 0

    @examples
    @given(cases=st.lists(threes(), min_size=12, max_size=12))
    def check(cases: list[Case]) -> None:
        nonlocal taken
        taken += len(assert_on_board(cases, BOARD, "depthwise_3x3_s8_v6m"))

    check()
    assert taken >= 16


def columns() -> st.SearchStrategy[Case]:
    """Filters of n x 1 and 1 x n, as those of sounds."""
    size = st.integers(1, 9)
    windows = st.tuples(size, st.just(1)) | st.tuples(st.just(1), size)
    return convolutions(windows, STEPS, ACTIVATIONS, st.just((1, 1)))


@pytest.mark.parametrize("free_bytes", [depthwise_s8_v6m.FREE_BYTES, 300])
def test_any_filter(free_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole images at a time, or bands; even where the portable kernel would be faster."""
    monkeypatch.setattr(depthwise_s8_v6m, "PORTABLE_OUTPUT_CYCLES", 10**6)
    monkeypatch.setattr(depthwise_s8_v6m, "FREE_BYTES", free_bytes)
    monkeypatch.setattr(depthwise_s8_v6m, "SHARE", 0)
    taken = 0
    cases = convolutions(PAIRS, STEPS, ACTIVATIONS, STEPS) | columns()

    @examples
    @given(cases=st.lists(cases, min_size=12, max_size=12))
    def check(cases: list[Case]) -> None:
        nonlocal taken
        taken += len(assert_on_board(cases, BOARD, "depthwise_s8_v6m"))

    check()
    assert taken >= 16


def test_large_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums that reach too far for lines."""
    monkeypatch.setattr(depthwise_s8_v6m, "PORTABLE_OUTPUT_CYCLES", 10**6)
    taken, wide = 0, []
    constants = depthwise_s8_v6m._constants

    def watched(call: KernelCall) -> Array | None:
        found = constants(call)
        wide.append(found is not None and found.shape[1] != depthwise_s8_v6m.LINE_BYTES)
        return found

    monkeypatch.setattr(depthwise_s8_v6m, "_constants", watched)
    cases = convolutions(st.just((9, 8)), STEPS, ACTIVATIONS, st.just((1, 1)))

    @examples
    @given(cases=st.lists(cases, min_size=4, max_size=4))
    def check(cases: list[Case]) -> None:
        nonlocal taken
        taken += len(assert_on_board(cases, BOARD, "depthwise_s8_v6m"))

    check()
    assert taken >= 6 and any(wide)
