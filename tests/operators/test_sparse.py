"""Layers without the zeros of their weights: natively under the sanitizer, and in the emulator."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.blocks import assert_near
from tests.operators.harness import Case, assert_equal, in_arena, native, reference
from tests.operators.on_board import assert_on_board, portable_call, read
from tests.operators.weights import (
    ACTIVATIONS,
    PADDINGS,
    SEEDS,
    STEPS,
    Draw,
    inputs,
    layers,
    steps,
)
from tests.tflite_models import TensorSpec
from tinysim.compiler.sparse import ENCODINGS
from tinysim.compiler.variants import candidates
from tinysim.simulator.cores import load_core

BOARDS = ("generic_m4", "generic_m0plus")
DENSITIES = st.sampled_from([0.0, 0.003, 0.02, 0.1, 0.3, 0.6, 0.8])
checked = settings(deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def pruned(draw: Draw, filter_: TensorSpec) -> TensorSpec:
    """A filter with zeros; some channels have nothing else."""
    assert isinstance(filter_.data, np.ndarray)
    random = np.random.default_rng(draw(SEEDS))
    data = np.where(random.random(filter_.data.shape) < draw(DENSITIES), filter_.data, 0)
    data[random.random(len(data)) < 0.2] = 0
    return replace(filter_, data=data.astype(filter_.data.dtype))


@st.composite
def dense(draw: Draw, dtype: str) -> Case:
    """Rows of any length, several at a time."""
    features = draw(st.sampled_from([1, 7, 8, 16, 33, 100, 300, 1100]))
    batches, rows = draw(st.integers(1, 3)), draw(st.integers(1, 9))
    x = draw(inputs(dtype, (batches, features)))
    filter_, bias, out = draw(layers(dtype, x, (rows, features), axis=0))
    model = models.fully_connected(
        x, draw(pruned(filter_)), bias, out, activation=draw(ACTIVATIONS)
    )
    return draw(steps(model, x))


@st.composite
def convolutions(draw: Draw, dtype: str) -> Case:
    """Windows, strides, padding; widths that are tiles, less than one, and several."""
    window, dilation = draw(st.sampled_from([(1, 1), (3, 3), (2, 5), (5, 2), (3, 1)])), (1, 1)
    if draw(st.booleans()):
        dilation = (draw(st.integers(1, 2)), 1)
    channels = draw(st.sampled_from([1, 2, 3, 4, 8, 20]))
    height = draw(st.integers(1, 4)) + (window[0] - 1) * dilation[0]
    width = draw(st.sampled_from([1, 2, 3, 4, 5, 6, 8, 17, 20, 34, 37])) + window[1] - 1
    images = draw(st.integers(1, 2))
    x = draw(inputs(dtype, (images, height, width, channels)))
    shape = (draw(st.integers(1, 9)), *window, channels)
    filter_, bias, out = draw(layers(dtype, x, shape, axis=0))
    model = models.conv_2d(
        x,
        draw(pruned(filter_)),
        bias,
        out,
        padding=draw(PADDINGS),
        stride=draw(STEPS),
        dilation=dilation,
        activation=draw(ACTIVATIONS),
    )
    return draw(steps(model, x))


LAYERS = {"fully_connected": dense, "conv_2d": convolutions}
KERNELS = [(layer, dtype) for layer in LAYERS for dtype in ("int8", "float32")]
SUFFIXES = {"int8": "s8", "float32": "f32"}


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc: kernels cannot be run natively")
@pytest.mark.parametrize(("layer", "dtype"), KERNELS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_equals_the_reference_natively(layer: str, dtype: str, encoding: str) -> None:
    name, taken = f"{layer}_sparse_{SUFFIXES[dtype]}_{encoding}", 0

    @settings(checked, max_examples=25)
    @given(case=LAYERS[layer](dtype))
    def check(case: Case) -> None:
        nonlocal taken
        graph = read(case.model)
        target = load_core("cortex_m0plus").target
        taken += any(one.name == name for one in candidates(portable_call(graph), target))
        found = native(graph, case.steps, name)
        if name.startswith(
            "conv_2d_sparse_f32"
        ):  # in blocks, as this machine's FPU is none of Arm's
            assert_near(case, found, is_whole=True)
        else:
            assert_equal(found, reference(graph, case.steps), 0, f"{name}, our reference")
        assert_equal(in_arena(graph, case.steps, name), found, 0, f"{name}, in the arena")

    check()
    assert taken > 10


def by_c(name: str, case: Case) -> list[list[np.ndarray]]:
    """Return what a kernel computes on this machine."""
    return native(read(case.model), case.steps, name)


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize(("layer", "dtype"), KERNELS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_equals_the_reference_on_board(board: str, layer: str, dtype: str, encoding: str) -> None:
    taken = 0
    name = f"{layer}_sparse_{SUFFIXES[dtype]}_{encoding}"

    @settings(checked, max_examples=2)
    @given(cases=st.lists(LAYERS[layer](dtype), min_size=10, max_size=10))
    def check(cases: list[Case]) -> None:
        nonlocal taken
        is_block = name.startswith("conv_2d_sparse_f32") and board == "generic_m0plus"
        right = partial(by_c, name) if is_block else None
        taken += len(assert_on_board(cases, board, name, right))

    check()
    assert taken > 3


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc: kernels cannot be run natively")
@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
def test_an_infinite_input_spoils_what_sees_it_only(odd: float) -> None:
    """Without an FPU all inputs of a tile have one exponent, unless there is none."""
    random = np.random.default_rng(1)
    filter_ = random.normal(0, 1, (3, 1, 3, 2)).astype(np.float32)
    filter_[:, 0, 1] = 0
    x = random.normal(0, 1, (1, 1, 20, 2)).astype(np.float32)
    x[0, 0, 10] = odd
    bias = models.constant(np.ones(3, np.float32))
    ends = (models.float32(x.shape), models.constant(filter_), bias, models.float32(()))
    case = Case(models.conv_2d(*ends, padding="SAME"), ((x,),))
    found = by_c("conv_2d_sparse_f32_crs8", case)[0][0]
    sees = np.isin(np.arange(20), (9, 11))
    assert (np.isnan(found[0, 0, sees]) | (np.abs(found[0, 0, sees]) > 3e38)).all()
    x[0, 0, 10] = 0
    expected = reference(read(case.model), case.steps)[0][0]
    np.testing.assert_allclose(found[0, 0, ~sees], expected[0, 0, ~sees], rtol=1e-5, atol=1e-6)
