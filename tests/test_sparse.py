"""Encodings of weights without their zeros, and when they are chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.operators.on_board import merged
from tests.tflite_models import Array
from tinysim.boards import load_board
from tinysim.compiler import Choices, Compilation, compile_graph
from tinysim.compiler.graph import DType, Graph, Node, Quant, Tensor
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.ops.conv_2d import Conv2D
from tinysim.compiler.ops.fully_connected import FullyConnected
from tinysim.compiler.sparse import ENCODINGS, decode, encode
from tinysim.compiler.variants import (
    SPARSE,
    TUNED_CODE_BYTES,
    WORTHWHILE_SHARE,
    candidates,
    choose,
    select,
)
from tinysim.compiler.variants._sparse import tile_of
from tinysim.simulator import Session, random_inputs
from tinysim.simulator.cores import load_core

BOARDS = ("generic_m4", "generic_m0plus")


#: Types of weights that may leave out their zeros.
DTYPES = ("int8", "float32")


def thinned(shape: tuple[int, ...], density: float, seed: int = 0, dtype: str = "int8") -> Array:
    """Weights of which a share is not zero."""
    random = np.random.default_rng(seed)
    weights = np.where(random.random(shape) < 0.5, -1, 1) * random.integers(1, 128, shape)
    return np.where(random.random(shape) < density, weights, 0).astype(dtype)


@st.composite
def matrices(draw: st.DrawFn) -> Array:
    """Any share of zeros; rows without anything, long gaps, values at the ends."""
    rows = draw(st.integers(1, 6))
    length = draw(st.sampled_from([1, 2, 7, 8, 9, 15, 16, 17, 255, 256, 257, 600]))
    density = draw(st.sampled_from([0, 0.005, 0.1, 0.5, 1]))
    weights = thinned((rows, length), density, 1, draw(st.sampled_from(DTYPES)))
    for row in range(rows):
        if draw(st.booleans()):
            weights[row] = 0
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.tuples(st.integers(0, rows - 1), st.integers(0, length - 1)))
        weights[place] = draw(st.sampled_from([-128, -1, 1, 127]))
    return weights


@settings(deadline=None)
@given(weights=matrices(), encoding=st.sampled_from(ENCODINGS))
def test_decoding_gives_the_weights_back(weights: Array, encoding: str) -> None:
    sparse = encode(weights, encoding)
    assert sparse is not None
    np.testing.assert_array_equal(decode(sparse), weights)
    assert decode(sparse).dtype == sparse.values.dtype == weights.dtype
    assert min(sparse.codes.size, sparse.values.size, sparse.counts.size) >= 1


@pytest.mark.parametrize("gap", [0, 14, 15, 16, 29, 30, 254, 255, 256, 257, 511, 512, 513])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_gaps_around_what_a_code_holds(encoding: str, gap: int) -> None:
    weights = np.zeros((2, gap + 2), np.int8)
    weights[:, [0, gap + 1]] = [[1, 2], [3, -128]]
    sparse = encode(weights, encoding)
    assert sparse is not None
    np.testing.assert_array_equal(decode(sparse), weights)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bytes_of_a_weight(dtype: str) -> None:
    """At the densities where the encodings change places; counts of rows are left out."""
    weights = thinned((64, 1024), 0.3, dtype=dtype)
    count = np.count_nonzero(weights)
    sizes = {}
    for encoding in ENCODINGS:
        sparse = encode(weights, encoding)
        assert sparse is not None
        sizes[encoding] = sparse.codes.nbytes
        assert sparse.values.nbytes == count * weights.itemsize
    assert sizes["crs16"] == 2 * count
    assert sizes["crs8"] == count
    assert 0.5 * count <= sizes["runs"] < 0.52 * count
    assert sizes["bitmap"] == weights.size / 8
    assert min(sizes, key=lambda name: sizes[name]) == "bitmap"


def test_sizes_that_do_not_fit_are_refused() -> None:
    long = np.ones((1, 2**16 + 8), np.int8)
    assert [encode(long, name) is None for name in ENCODINGS] == [True, True, False, False]
    longer = np.ones((1, 8 * 2**16), np.int8)
    assert all(encode(longer, name) is None for name in ENCODINGS)
    assert encode(np.zeros((1, 2**16 + 8), np.int8), "crs16") is None


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_damaged_arrays_are_refused(encoding: str) -> None:
    sparse = encode(thinned((3, 40), 0.5), encoding)
    assert sparse is not None
    for damaged in (
        replace(sparse, codes=sparse.codes[:-1]),
        replace(sparse, values=sparse.values[:-1]),
        replace(sparse, length=9),
    ):
        with pytest.raises(ValueError, match="row"):
            decode(damaged)


def layer(weights: Array, size: int = 8, zero_point: int = 0) -> Graph:
    """A dense layer ``[O, I]``, or a convolution ``[O, H, W, C]`` over an image."""
    is_dense, dtype = weights.ndim == 2, DType(weights.dtype.name)
    shape = (1, weights.shape[1]) if is_dense else (1, size, size, weights.shape[3])
    x = Tensor(0, "x", shape, dtype, Quant((0.5,), (3,)))
    filter_ = Tensor(1, "w", weights.shape, dtype, Quant((0.01,), (zero_point,)), data=weights)
    out = (1, len(weights)) if is_dense else (*shape[:3], len(weights))
    y = Tensor(2, "y", out, dtype, Quant((2.0,), (3,)))
    if dtype is DType.FLOAT32:
        x, filter_, y = (replace(tensor, quant=None) for tensor in (x, filter_, y))
    op = FullyConnected("NONE") if is_dense else Conv2D("SAME", 1, 1, 1, 1, "NONE")
    return Graph("layer", "0" * 64, (Node("layer", op, (x, filter_, None), (y,)),), (x,), (y,))


def call_of(graph: Graph) -> KernelCall:
    """How a graph of one layer is lowered."""
    (node,) = graph.nodes
    (call,) = node.op.lower(node.inputs, node.outputs)
    return call


def compiled(graph: Graph, board: str, **choices: Any) -> Compilation:
    """A model with all its channels."""
    description = load_board(board)
    chosen = Choices(keeps_constant_channels=True, **choices)
    return compile_graph(graph, "m", description, load_core(description.core).target, chosen)


def computed(graph: Graph, board: str, optimize: str, sparse: str) -> list[str]:
    """Kernels that the rule picks."""
    portable = [node.op.lower(node.inputs, node.outputs) for node in graph.nodes]
    target = load_core(load_board(board).core).target
    return [call.kernel for (call,) in select(portable, target, optimize, sparse, {})]


def kernels(compilation: Compilation) -> list[str]:
    """What computes each layer."""
    return [found.kernel for found in compilation.firmware.layers]


def flash(compilation: Compilation, cause: str | None = None) -> int:
    """Flash of an image, or of a part of it."""
    parts = compilation.firmware.sections
    return sum(part.flash_bytes for part in parts if cause in (None, part.cause))


def sparse_names(call: KernelCall) -> list[str]:
    """Encodings that a call may have."""
    target = load_core("cortex_m4f").target
    found = candidates(call, target)
    return [one.name for one in found if one.sparse]


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_has_candidates(dtype: str) -> None:
    dense, image = (thinned(shape, 0.3, dtype=dtype) for shape in ((8, 64), (8, 3, 3, 4)))
    assert [name.rpartition("_")[2] for name in sparse_names(call_of(layer(dense)))] == [*ENCODINGS]
    assert len(sparse_names(call_of(layer(image)))) == len(ENCODINGS)
    assert not sparse_names(call_of(layer(thinned((8, 64), 1.0, dtype=dtype))))
    assert bool(sparse_names(call_of(layer(thinned((8, 640), 0.95, dtype=dtype))))) == (
        dtype == "float32"
    )
    call = call_of(layer(image))
    for change in ({"dilation_w": 2}, {"filter_c": 2}):
        assert not sparse_names(replace(call, params={**call.params, **change}))


def test_what_no_kernel_has_room_for() -> None:
    assert not sparse_names(call_of(layer(thinned((8, 64), 0.3), zero_point=3)))
    assert not sparse_names(call_of(layer(np.zeros((1, 1, 1, 2**23 + 1), np.int8))))
    for channels, found in ((2**12, 4), (2**12 + 1, 0)):
        wide = np.zeros((1, 1, 1, channels), np.float32)
        assert len(sparse_names(call_of(layer(wide)))) == found


def test_without_an_fpu_no_channel_may_have_small_weights_only() -> None:
    weights = thinned((8, 3, 3, 4), 0.3, dtype="float32")
    for share, found in ((1.0, 4), (2.0**-20, 0), (0.0, 4)):
        uneven = weights.copy()
        uneven[..., 1] *= np.float32(share)
        call = call_of(layer(uneven))
        names = [one.name for one in candidates(call, load_core("cortex_m0plus").target)]
        assert sum("sparse" in name for name in names) == found
        assert len(sparse_names(call)) == 4


#: Shares of non-zeros at which encodings do not save a quarter.
SOME = {"int8": 0.7, "float32": 0.8}


def models(dtype: str) -> list[Graph]:
    """Layers that are worth it and layers that are not, one of each kind together."""
    sizes = [((8, 40), 0.05), ((64, 128), 0.3), ((64, 128), SOME[dtype]), ((4, 3, 3, 2), 0.3)]
    sizes += [((32, 3, 3, 32), 0.05), ((32, 3, 3, 32), 1.0)]
    alone = [layer(thinned(shape, density, dtype=dtype)) for shape, density in sizes]
    return [*alone, merged([alone[2], alone[4], alone[5]])]


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("optimize", ["balanced", "size"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_auto_saves_flash_or_changes_nothing(board: str, optimize: str, dtype: str) -> None:
    taken = []
    for number, graph in enumerate(models(dtype)):
        if computed(graph, board, optimize, "auto") == computed(graph, board, optimize, "never"):
            continue
        taken.append(number)
        auto, never = (compiled(graph, board, optimize=optimize, sparse=s) for s in SPARSE[:2])
        assert flash(auto) < flash(never)
    # Of floats the smallest layer is worth it, too. The dense layer of 30 % of non-zeros is only by
    # size: it would be much slower.
    assert taken == [*([0] * (dtype == "float32")), *([1] * (optimize == "size")), 4, 6]


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_speed_leaves_zeros_out_where_that_is_faster(board: str, dtype: str) -> None:
    description = load_board(board)
    core = load_core(description.core)
    taken = []
    for number, graph in enumerate(models(dtype)):
        if computed(graph, board, "speed", "auto") == computed(graph, board, "speed", "never"):
            continue
        taken.append(number)
        auto, never = (
            sum(layer.counters.cycles for layer in run.layers)
            for run in (
                Session(image, description, core).infer(random_inputs(image.inputs))
                for image in (
                    compiled(graph, board, optimize="speed", sparse=choice).firmware
                    for choice in SPARSE[:2]
                )
            )
        )
        assert auto < never
    assert {4, 6} <= {*taken}, "a convolution of 5 % of non-zeros"
    assert 5 not in taken, "there are none to leave out"
    assert 2 not in taken, "a dense layer of most of them"


def test_the_user_decides() -> None:
    graph = layer(thinned((64, 128), 0.8))
    assert kernels(compiled(graph, "generic_m4", optimize="size")) == ["fully_connected_s8"]
    always = compiled(graph, "generic_m4", sparse="always")
    assert kernels(always) == ["fully_connected_sparse_s8"]
    thin = layer(thinned((64, 128), 0.1))
    assert kernels(compiled(thin, "generic_m4", optimize="size", sparse="never")) == [
        "fully_connected_s8"
    ]
    assert kernels(compiled(thin, "generic_m4", optimize="size")) == ["fully_connected_sparse_s8"]


def test_balanced_pays_for_cycles_what_it_pays_for_tuned_kernels() -> None:
    """A dense layer of 30 % of non-zeros, alone and in models that take longer and longer."""
    thin = layer(thinned((64, 128), 0.3))
    target = load_core("cortex_m4f").target
    found = candidates(call_of(thin), target)
    best = min((one for one in found if one.sparse), key=lambda one: one.constant_bytes)
    dense = choose([one for one in found if not one.sparse], "balanced")
    assert best.cycles and dense.cycles and best.sparse
    saved = dense.constant_bytes - best.constant_bytes - best.sparse.layer_bytes
    worth = (best.cycles - dense.cycles) / saved * TUNED_CODE_BYTES / WORTHWHILE_SHARE
    other = layer(thinned((16, 3, 3, 16), 1.0), size=8)
    cost = choose(candidates(call_of(other), target), "balanced").cycles
    assert cost is not None
    for count in (0, round(0.8 * worth / cost), round(1.2 * worth / cost)):
        names = computed(merged([thin, *[other] * count]), "generic_m4", "balanced", "auto")
        is_sparse = "fully_connected_sparse_s8" in names
        assert is_sparse == (dense.cycles + count * cost > worth)
    assert "fully_connected_sparse_s8" in names


def test_balanced_takes_a_faster_encoding_for_few_bytes() -> None:
    """A Cortex-M0+ looks at each bit of a bitmap."""
    graphs = [layer(thinned(*of)) for of in (((64, 1024), 0.3), ((16, 3, 3, 16), 1.0))]
    calls = [(call_of(graph),) for graph in graphs]
    target = load_core("cortex_m0plus").target
    for optimize, encoding in (("balanced", "runs"), ("size", "bitmap")):
        (chosen,), _ = select(calls, target, optimize, "auto", {})
        assert ENCODINGS[int(chosen.params["encoding"])] == encoding


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_estimates_are_near_what_is_simulated(board: str, dtype: str, encoding: str) -> None:
    shapes = [((48, 160), 0), ((16, 3, 3, 16), 12), ((16, 1, 1, 64), 12), ((8, 3, 3, 8), 8)]
    layers = [
        layer(thinned(shape, density, dtype=dtype), size)
        for shape, size in shapes
        for density in (0.1, 0.4)
    ]
    description = load_board(board)
    core = load_core(description.core)
    found = [
        next(one for one in candidates(call_of(graph), core.target) if one.name.endswith(encoding))
        for graph in layers
    ]
    picks = tuple((index, one.name) for index, one in enumerate(found))
    image = compiled(merged(layers), board, optimize="balanced", picks=picks).firmware
    run = Session(image, description, core).infer(random_inputs(image.inputs))
    assert [one.cycles for one in found] == [
        pytest.approx(done.counters.cycles, rel=0.2) for done in run.layers
    ]


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("optimize", ["balanced", "size"])
@pytest.mark.parametrize("shape", [(16, 200), (16, 3, 3, 8)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_code_is_no_larger_than_the_rule_supposes(
    board: str, optimize: str, shape: tuple[int, ...], dtype: str
) -> None:
    """Two encodings in one image, beside a layer that keeps its zeros and so the dense kernel."""
    layers = [layer(thinned(shape, density, dtype=dtype)) for density in (1.0, 0.1, 0.5)]
    graph = merged(layers)
    target = load_core(load_board(board).core).target
    found = candidates(call_of(layers[1]), target)
    (supposed,) = {one.sparse for one in found if one.sparse}
    always, never = (
        compiled(graph, board, optimize=optimize, sparse=s) for s in ("always", "never")
    )
    code, dense_code = (flash(image) - flash(image, "weights") for image in (always, never))
    assert len(set(kernels(always))) == 2
    assert 0 < code - dense_code <= 2 * supposed.layer_bytes + supposed.shared_bytes


def test_tiles_divide_a_row() -> None:
    widths = {3: 3, 4: 4, 10: 10, 16: 16, 32: 16, 48: 16, 49: 7, 50: 25, 96: 16, 113: 113, 125: 25}
    assert {width: tile_of(width) for width in widths} == widths
