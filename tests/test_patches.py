"""Layers in bands: the same numbers from less memory, in the memory that was planned."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinysim
from tests.operators.harness import in_arena
from tests.test_passes import SCALE, Maker
from tinysim.compiler.graph import DType, Graph, Node, Quant
from tinysim.compiler.ops.conv_2d import Conv2D
from tinysim.compiler.ops.depthwise_conv_2d import DepthwiseConv2D
from tinysim.compiler.ops.patched import Patched
from tinysim.compiler.passes.patch import patch
from tinysim.compiler.reference import run_reference

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc on this host")


@st.composite
def chains(draw: st.DrawFn) -> Graph:
    """Convolutions of any geometry, one behind the other, of int8 or floats."""
    make = Maker(draw(st.integers(0, 2**31)))
    is_float = draw(st.booleans())
    dtype, quant = (DType.FLOAT32, None) if is_float else (DType.INT8, SCALE)
    small = st.integers(1, 3)
    height, width = draw(st.integers(8, 20)), draw(st.integers(4, 9))
    y = x = make.tensor((1, height, width, draw(small)), dtype, quant=quant)
    for _ in range(draw(st.integers(2, 4))):
        filter_ = draw(small), draw(small)
        steps = draw(st.tuples(st.integers(1, 2), small, small, st.integers(1, 2)))
        is_depthwise = draw(st.booleans())
        kind = DepthwiseConv2D if is_depthwise else Conv2D
        op = kind(draw(st.sampled_from(["SAME", "SAME", "VALID"])), *steps, "RELU")
        channels = y.shape[3] if is_depthwise else draw(small) + 1
        shape = (1, *filter_, channels) if is_depthwise else (channels, *filter_, y.shape[3])
        if is_float:
            weights, bias = make.floats(*shape), make.floats(channels)
        else:
            data = make.rng.integers(-127, 128, shape).astype(np.int8)
            weights = make.constant(data, Quant((0.01,), (0,)))
            bias = make.constant(make.rng.integers(-900, 900, channels).astype(np.int32))
        size = op.window(weights).output_size(*y.shape[1:3])
        if min(size) < 1:
            break
        y = make.node(op, (y, weights, bias), (1, *size, channels))
    return make.graph((x,), y)


@needs_gcc
@settings(deadline=None, max_examples=40)
@given(graph=chains(), bands=st.integers(1, 6))
def test_bands_give_the_same_numbers_in_the_planned_arena(graph: Graph, bands: int) -> None:
    if len(graph.nodes) < 2 or graph.outputs[0].shape[1] < bands:
        return
    op = Patched(graph.nodes, bands)
    node = Node("bands", op, graph.inputs, graph.outputs)
    patched = Graph("patched", "", (node,), graph.inputs, graph.outputs)
    x = graph.inputs[0]
    rng = np.random.default_rng(1)
    value = rng.normal(0, 40, x.shape).astype(x.dtype.value)
    (expected,) = run_reference(graph, (value,))
    (found,) = in_arena(patched, [(value,)])
    np.testing.assert_array_equal(found[0], expected)


def test_pass_leaves_alone_what_it_cannot_better() -> None:
    make = Maker()
    x = make.tensor((1, 4, 4, 2))
    y = make.node(Conv2D("SAME", 1, 1, 1, 1, "NONE"), (x, make.floats(2, 1, 1, 2), None), x.shape)
    graph = make.graph((x,), y)
    assert patch(graph) is graph


def test_person_detector_takes_about_half_the_arena(shared: Path) -> None:
    path = shared / "models" / "tflm_person_detect_int8.tflite"
    whole = tinysim.run(path, "generic_m4")
    patched = tinysim.run(path, "generic_m4", patches=True)
    assert patched.output_check.status == "exact"
    np.testing.assert_array_equal(patched.outputs[0], whole.outputs[0])
    assert patched.arena_bytes < 0.57 * whole.arena_bytes
    assert patched.arena_bytes - 8 <= patched.arena_written_bytes <= patched.arena_bytes
    assert whole.cycles < patched.cycles < 1.2 * whole.cycles
    assert any("bands" in what for what in patched.removed)


@pytest.mark.parametrize("board", ["generic_m0plus", "generic_m4"])
def test_visual_wake_words_in_bands_are_the_same_on_every_kind_of_core(
    shared: Path, board: str
) -> None:
    patched = tinysim.run(shared / "models" / "mlperf_vww_int8.tflite", board, patches=True)
    assert patched.output_check.status == "exact"
    assert any("bands" in what for what in patched.removed)
