"""Block floating point: as exact as floats one by one, the same on every core."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests import tflite_models as models
from tests.operators.blocks import assert_near, exact
from tests.operators.floats import ODD, Layers, padded
from tests.operators.harness import Case, assert_equal, in_arena, native, reference
from tests.operators.on_board import assert_on_board, portable_call, read
from tests.operators.test_conv_2d import convolutions
from tests.operators.test_conv_2d_f32_vfp import own_cases
from tests.operators.test_fully_connected import products
from tests.operators.test_fully_connected_f32_vfp import own_cases as own_products
from tests.tflite_models import Array
from tinysim.compiler.variants import candidates, choose
from tinysim.compiler.variants._block import LENGTH, Blocks, blocks_of
from tinysim.simulator.cores import load_core

NAME = "conv_2d_f32_block"
BOARDS = ("generic_m0plus", "generic_m0", "generic_m3")
M0PLUS = load_core("cortex_m0plus").target
NATIVE = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc: kernels cannot be run")
CASES = {"conv_2d": convolutions("float32"), "fully_connected": products("float32")}


def unpacked(blocks: Blocks, outputs: int, count: int) -> Array:
    """Return the weights that a stream stands for, by what the header says of it."""
    words, at, found = blocks.words.astype(np.int64), 0, np.zeros((outputs, count))
    for start in range(0, count, LENGTH):
        length = min(LENGTH, count - start)
        for first in range(0, outputs, 2):
            rows = min(2, outputs - first)
            exponents = [words[at].astype(np.int16), words[at] >> 16]
            part = words[at + 1 : at + 1 + rows * length].reshape(length, rows)
            numbers = 4096 * (part >> 16) + part.astype(np.int16)
            for row in range(rows):
                column = np.ldexp(numbers[:, row].astype(float), int(exponents[row]))
                found[first + row, start : start + length] = column
            at += 1 + rows * length
    assert at == len(words)
    return np.asarray(np.ldexp(found, blocks.scales.astype(int)))


@pytest.mark.parametrize(("outputs", "count"), [(1, 1), (2, 64), (3, 65), (5, 200), (8, 128)])
@pytest.mark.parametrize("spread", [0, 3, 30])
def test_weights_keep_24_bits(outputs: int, count: int, spread: int) -> None:
    random = np.random.default_rng(1)
    rows = random.normal(0, 1, (outputs, count)) * np.exp2(random.integers(-spread, 1, count))
    rows[:, 0] = 0
    blocks = blocks_of(rows.astype(np.float32))
    assert blocks.is_scaled == (spread == 30 and count > 1)
    scales = np.ldexp(1.0, np.broadcast_to(blocks.scales, count).astype(int))
    apart = np.abs(unpacked(blocks, outputs, count) - rows.astype(np.float32)) / scales
    for start in range(0, count, LENGTH):
        part = slice(start, start + LENGTH)
        largest = np.abs(rows[:, part] / scales[part]).max(axis=1, keepdims=True)
        assert (apart[:, part] <= largest * 2.0**-24).all()


@NATIVE
@pytest.mark.parametrize("layer", CASES)
def test_is_near_the_truth(layer: str) -> None:
    @settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
    @given(case=CASES[layer].filter(is_taken))
    def check(case: Case) -> None:
        graph = read(case.model)
        found = native(graph, case.steps, NAME)
        assert_near(case, found)
        assert_equal(in_arena(graph, case.steps, NAME), found, 0, "in the arena, apart")

    check()


def is_taken(case: Case) -> bool:
    """Whether the kernel is for a case."""
    found = candidates(portable_call(read(case.model)), M0PLUS)
    return any(one.name == NAME for one in found)


def by_c(case: Case) -> list[list[Array]]:
    """Return what the kernel computes on this machine."""
    return native(read(case.model), case.steps, NAME)


@NATIVE
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("activation", ["NONE", "RELU6"])
def test_all_cores_compute_the_same_bits(board: str, activation: str) -> None:
    cases = [*own_cases(1, activation, ODD), *own_products(2, activation, ODD)]
    taken = assert_on_board(cases, board, NAME, by_c)
    assert len(taken) == len(cases) - 2  # those with dilation along the rows


@NATIVE
def test_what_is_no_number_and_what_is_infinite_stay() -> None:
    layers = Layers(3)
    for odd in ODD:
        x = layers.values((1, 70))
        x[0, 66] = odd
        filter_, bias, out = layers.weights((3, 70), 0)
        model = models.fully_connected(
            models.float32((1, 70)), filter_, bias, replace(out, shape=(1, 3))
        )
        case = Case(model, ((x,),))
        (ours,), (theirs,) = by_c(case)[0], reference(read(model), case.steps)[0]
        if abs(odd) == 1e30:
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)
        elif np.isfinite(odd):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)
        else:
            np.testing.assert_array_equal(ours, theirs)


@NATIVE
def test_sums_may_be_infinite() -> None:
    filter_ = models.constant(np.full((2, 9), [[1e20], [-1e20]], np.float32))
    x = np.full((1, 9), 1e20, np.float32)
    bias = models.constant(np.zeros(2, np.float32))
    out = models.float32((1, 2))
    case = Case(models.fully_connected(models.float32((1, 9)), filter_, bias, out), ((x,),))
    np.testing.assert_array_equal(by_c(case)[0], reference(read(case.model), case.steps)[0])


@NATIVE
@pytest.mark.parametrize("count", [100, 1000, 9216])
def test_many_products_are_nearer_than_floats_one_by_one(count: int) -> None:
    layers = Layers(4)
    filter_, bias, out = layers.weights((8, count), 0)
    model = models.fully_connected(
        models.float32((4, count)), filter_, bias, replace(out, shape=(4, 8))
    )
    case = Case(model, ((layers.values((4, count)),),))
    expected, _ = exact(portable_call(read(model)), case.steps[0][0])
    ours, theirs = by_c(case)[0][0], reference(read(model), case.steps)[0][0]
    errors = [float(np.sqrt(np.mean((found - expected) ** 2))) for found in (ours, theirs)]
    assert 0 < errors[0] < errors[1]


@NATIVE
def test_inputs_of_other_units_keep_their_digits() -> None:
    """As of sensors in pascals and in metres: weights are small where inputs are large."""
    layers = Layers(5)
    units = np.float32(2.0) ** np.arange(-20, 20)
    x = (layers.values((1, 40)) * units).astype(np.float32)
    weights = (layers.values((4, 40)) / units).astype(np.float32)
    bias = models.constant(np.zeros(4, np.float32))
    model = models.fully_connected(
        models.float32((1, 40)), models.constant(weights), bias, models.float32((1, 4))
    )
    expected = x.astype(np.float64) @ weights.astype(np.float64).T
    np.testing.assert_allclose(by_c(Case(model, ((x,),)))[0][0], expected, rtol=0, atol=2e-5)


@NATIVE
def test_windows_that_see_nothing_but_padding() -> None:
    layers, shape = Layers(4), (1, 2, 3, 3)
    for pads in (((0, 0), (7, 0)), ((0, 0), (0, 7)), ((5, 4), (6, 5))):
        weights = layers.weights((5, 2, 3, 3), 0)
        case = layers.case(padded("CONV_2D", models.float32(shape), pads, weights, (2, 3)), shape)
        assert is_taken(case)
        assert_near(case, by_c(case))


@pytest.mark.parametrize("board", BOARDS)
def test_takes_a_quarter_of_the_portable_kernel_s_cycles(board: str) -> None:
    layers, shape = Layers(6), (1, 6, 6, 16)
    model = models.conv_2d(
        models.float32(shape), *layers.weights((16, 3, 3, 16), 0), padding="SAME"
    )
    case = layers.case(model, shape)
    (tuned,) = assert_on_board([case], board, NAME, by_c).values()
    (portable,) = assert_on_board([case], board, "conv_2d_f32").values()
    assert 4 * tuned < portable


def test_size_keeps_the_portable_kernel_and_an_fpu_has_its_own() -> None:
    layers = Layers(7)
    filter_, bias, out = layers.weights((16, 100), 0)
    x = models.float32((1, 100))
    call = portable_call(
        read(models.fully_connected(x, filter_, bias, replace(out, shape=(1, 16))))
    )
    found = candidates(call, M0PLUS)
    assert choose(found, "size").name == "fully_connected_f32"
    assert choose(found, "balanced").name == choose(found, "speed").name == NAME
    fpu = candidates(call, load_core("cortex_m4f").target)
    assert NAME not in [one.name for one in fpu]
    infinite = replace(call, constants=(call.constants[0], np.full(16, np.inf, np.float32)))
    assert NAME not in [one.name for one in candidates(infinite, M0PLUS)]


@pytest.mark.parametrize("width", [4, 5, 7])
def test_outputs_lie_over_inputs(tmp_path: Path, width: int) -> None:
    layers = Layers(8)
    shape = (1, 9, width, 40)
    weights = layers.weights((40, 3, 3, 40), 0)
    model = models.conv_2d(models.float32(shape), *weights, padding="SAME")
    case = layers.case(model, shape)
    graph = read(model)
    found = native(graph, case.steps, NAME)
    assert_equal(in_arena(graph, case.steps, NAME), found, 0, "in the arena, apart")
    assert_near(case, found)
