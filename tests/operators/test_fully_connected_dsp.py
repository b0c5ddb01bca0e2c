"""The tuned FULLY_CONNECTED on Armv7E-M."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case
from tests.operators.on_board import assert_on_board, read
from tests.operators.test_fully_connected import products
from tests.operators.weights import SEEDS, ZERO_POINTS
from tests.tflite_models import Array
from tinysim.boards import load_board
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import candidates
from tinysim.compiler.variants.fully_connected_dsp import packed
from tinysim.simulator.cores import load_core

BOARDS = ("generic_m4", "generic_m33", "generic_m7")
NAMES = ("fully_connected_dsp", "fully_connected_channels_dsp", "fully_connected_sparse_dsp")


def product(
    features: int,
    rows: int,
    seed: int,
    *,
    batches: int = 1,
    ends: bool = False,
    zero_points: tuple[int, int] = (-7, 11),
    activation: str = "NONE",
    per_channel: bool = False,
    ratio: float = 1.0,
    zeros: tuple[float, float] = (0.0, 0.0),
) -> Case:
    """A product whose outputs fill their range; ``ends``: of the largest numbers alone.

    ``zeros`` says how much of the input is the zero point, in two inferences.
    """
    random = np.random.default_rng(seed)

    def values(shape: tuple[int, ...], low: int) -> Array:
        if ends:
            return random.choice(np.array([low, 127], np.int8), shape)
        return random.integers(low, 127, shape, np.int8, endpoint=True)

    x = models.int8((batches, features), 0.5, zero_points[0])
    parts = random.uniform(0.2, 1, rows) if per_channel else np.ones(1)
    width = 74.0 * 74 * features**0.5 * (3 if ends else 1)
    scales = tuple(float(np.float32(ratio * part * 60 / width)) for part in parts)
    filter_ = models.constant(values((rows, features), -127), scales, 0)
    bias = random.integers(-int(width), int(width) + 1, rows).astype(np.int32)
    model = models.single(
        "FULLY_CONNECTED",
        (x, filter_, models.constant(bias, tuple(0.5 * scale for scale in scales))),
        models.int8((batches, rows), 0.5, zero_points[1]),
        {"FusedActivationFunction": activation},
    )
    steps = []
    for share in zeros:
        spread = values((batches, features), -128)
        kept = random.random(spread.shape) >= share
        steps.append((np.where(kept, spread, np.int8(zero_points[0])),))
    return Case(model, tuple(steps))


def shapes() -> list[Case]:
    """Every rest of positions and channels, several rows, the ends of all numbers."""
    made = [product(features, 1 + features % 9, features) for features in range(1, 37)]
    made += [product(features, 8, features, batches=3) for features in (1, 6, 16, 35)]
    made += [product(40, rows, rows, batches=2) for rows in range(1, 18)]
    made += [product(640, 16, 1), product(421, 9, 2, ends=True)]
    for zero_points in ((-128, -128), (127, 127), (-128, 127), (127, -128)):
        made.append(product(64, 10, 3, zero_points=zero_points))
        made.append(product(63, 12, 4, zero_points=zero_points, ends=True))
    return [*made, product(47, 9, 8, zero_points=(3, -128), activation="RELU")]


def others() -> list[Case]:
    """What the faster kernel is not for: scales by channel, other ranges, large multipliers."""
    made = [product(9 + rows, rows, rows, per_channel=True, batches=2) for rows in range(2, 19)]
    made += [product(33, 11, 5, activation="RELU6"), product(64, 8, 6, activation="RELU_N1_TO_1")]
    return [*made, product(3, 9, 7, ratio=200.0), product(16, 8, 8, ratio=400.0)]


def sparse() -> list[Case]:
    """No zeros and nothing else, every number of pairs that are left, every rest."""
    behind = (-128, 5)
    made = [product(36, 11, 1, zero_points=behind, zeros=share) for share in ((0, 1), (0.99, 0.9))]
    for features in range(1, 38):
        shares = (features % 5 / 5, features % 7 / 7)
        made.append(product(features, 8 + features % 3, 2, zero_points=behind, zeros=shares))
    for seed in range(12):
        made.append(product(40, 9, seed, zero_points=behind, zeros=(0.5, 0.8), batches=3))
    many = product(210, 9, 3, zero_points=behind, zeros=(0.2, 0.0), ends=True)
    return [*made, many, product(400, 17, 4, zero_points=behind, zeros=(0.6, 0.7))]


CASES = (shapes(), others(), sparse())


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize(("name", "cases"), [*zip(NAMES, CASES, strict=True)])
def test_shapes(board: str, name: str, cases: Sequence[Case]) -> None:
    assert len(assert_on_board(cases, board, name)) == len(cases)


#: What each kernel is for, drawn.
DRAWN: dict[str, dict[str, Any]] = {
    NAMES[0]: {"zero_points": st.tuples(ZERO_POINTS, ZERO_POINTS)},
    NAMES[1]: {
        "zero_points": st.tuples(ZERO_POINTS, st.integers(-90, 90)),
        "activation": st.sampled_from(["RELU", "RELU6", "RELU_N1_TO_1"]),
        "per_channel": st.booleans(),
    },
    NAMES[2]: {
        "zero_points": st.tuples(st.just(-128), ZERO_POINTS),
        "zeros": st.tuples(st.floats(0, 1), st.floats(0, 1)),
    },
}


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_reference(name: str) -> None:
    drawn = st.builds(
        product,
        st.integers(1, 40),
        st.integers(1, 20),
        SEEDS,
        batches=st.integers(1, 3),
        ends=st.booleans(),
        **DRAWN[name],
    )

    @settings(deadline=None, max_examples=3)
    @given(cases=st.lists(drawn, min_size=16, max_size=16))
    def check(cases: list[Case]) -> None:
        assert len(assert_on_board(cases, "generic_m4", name)) == len(cases)

    check()


def test_any_product() -> None:
    """Scales far off the usual ones, too; most of the draws are for one of the kernels."""
    taken = 0

    @settings(deadline=None, max_examples=3)
    @given(cases=st.lists(products("int8"), min_size=24, max_size=24))
    def check(cases: list[Case]) -> None:
        nonlocal taken
        taken += sum(len(assert_on_board(cases, "generic_m4", name)) for name in NAMES)

    check()
    assert taken > 0


def call_of(weights: Array, bias: int = 0, zero_point: int = 0) -> KernelCall:
    """A portable call with these weights."""
    rows, features = weights.shape
    x = models.int8((1, features), 0.5, zero_point)
    biases = models.constant(np.full(rows, bias, np.int32), (0.005,))
    model = models.single(
        "FULLY_CONNECTED",
        (x, models.constant(weights, (0.01,), 0), biases),
        models.int8((1, rows), 0.5, 0),
        {"FusedActivationFunction": "NONE"},
    )
    (node,) = read(model).nodes
    (call,) = node.op.lower(node.inputs, node.outputs)
    return call


def test_packing_refuses_what_does_not_separate() -> None:
    low = np.array([[-128], [-1]], np.int8)
    assert packed(call_of(low)) is None
    assert packed(call_of(low[::-1].copy())) is not None
    assert packed(call_of(np.array([[-128], [0]], np.int8))) is not None
    many = np.full((2, 600), 127, np.int8)
    assert packed(call_of(many)) is None
    assert packed(call_of(many[:, :500])) is not None
    assert packed(call_of(many[:, :500], 2**30)) is None


def test_what_follows_a_relu_may_be_sparse() -> None:
    """Less their zero point, inputs are twice as large: sums must have room for them."""
    target = load_core(load_board("generic_m4").core).target

    def names(features: int, zero_point: int) -> list[str]:
        call = call_of(np.full((2, features), 127, np.int8), zero_point=zero_point)
        return [candidate.name for candidate in candidates(call, target)]

    assert names(200, -128) == [NAMES[0], NAMES[2], "fully_connected_s8"]
    assert names(200, -127) == [NAMES[0], "fully_connected_s8"]
    assert names(260, -128) == ["fully_connected_s8"]
    weights = np.full((2, 500), 127, np.int8)
    assert packed(call_of(weights), is_centred=True) is not None
    assert packed(call_of(weights, zero_point=-128), is_centred=True) is None


def test_words_hold_two_channels() -> None:
    weights = np.arange(-20, 20, dtype=np.int8).reshape(8, 5)
    words = packed(call_of(weights))
    assert words is not None and len(words.weights) == 2 * 2 * 4 + 1
    halves = words.weights[:-1].view(np.int16).reshape(2, 2, 4, 2).astype(int)
    for position in range(8):
        quad, at = divmod(position, 4)
        for pair in range(4):
            high, low = weights[2 * pair : 2 * pair + 2, position] if position < 5 else (0, 0)
            assert halves[quad, at % 2, pair, at // 2] == 256 * int(high) + int(low)


def test_only_cores_with_dual_multiplies_take_it() -> None:
    call = call_of(np.ones((8, 8), np.int8))
    for board, count in (("generic_m4", 2), ("generic_m33", 2), ("generic_m3", 1)):
        core = load_core(load_board(board).core)
        found = candidates(call, core.target)
        assert len(found) == count, board
    assert packed(replace(call, params={**call.params, "filter_offset": 3})) is None
