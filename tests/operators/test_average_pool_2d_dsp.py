"""The tuned AVERAGE_POOL_2D on Armv7E-M."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case
from tests.operators.on_board import assert_on_board, read
from tests.operators.test_pool import pools
from tests.tflite_models import Array
from tinysim.boards import load_board
from tinysim.compiler.variants import candidates
from tinysim.simulator.cores import load_core

NAME = "average_pool_2d_dsp"


def pool(
    shape: tuple[int, int, int],
    window: tuple[int, int],
    *,
    padding: str = "VALID",
    stride: tuple[int, int] = (1, 1),
    activation: str = "NONE",
    batches: int = 1,
    seed: int = 0,
) -> Case:
    """A pool of an image ``[H, W, C]``: spread numbers first, then the ends only."""
    random = np.random.default_rng(seed)
    whole = (batches, *shape)
    spread: Array = random.integers(-128, 127, whole, np.int8, endpoint=True)
    ends: Array = random.choice(np.array([-128, 127], np.int8), whole, p=[0.9, 0.1])
    model = models.pool_2d(
        "AVERAGE_POOL_2D",
        models.int8(whole, 0.1, -9),
        window=window,
        padding=padding,
        stride=stride,
        activation=activation,
    )
    return Case(model, ((spread,), (ends,)))


def shapes() -> list[Case]:
    """Every count of channels and of positions, padding on all sides, rows that are not whole."""
    made = [pool((3, 4, channels), (2, 3), seed=channels) for channels in range(1, 21)]
    made += [pool((1, count, 9), (1, count), seed=count) for count in range(1, 40)]
    made += [pool((16, 16, 8), (16, 16)), pool((25, 5, 16), (25, 5)), pool((17, 15, 11), (17, 15))]
    for stride in ((1, 1), (2, 3)):
        for window in ((3, 3), (2, 4), (5, 1)):
            made.append(pool((6, 7, 10), window, padding="SAME", stride=stride, batches=2))
    return [*made, pool((4, 4, 12), (3, 3), activation="RELU6"), pool((9, 9, 8), (1, 1))]


@pytest.mark.parametrize("board", ["generic_m4", "generic_m33", "generic_m7"])
def test_shapes(board: str) -> None:
    cases = shapes()
    assert len(assert_on_board(cases, board, NAME)) == len(cases)


def test_every_sum() -> None:
    """All sums of two, of three and of four, in one firmware."""
    cases = []
    for count in (2, 3, 4):
        sums = np.arange(-128 * count, 127 * count + 1)
        parts = [np.clip(sums // count + (sums % count > i), -128, 127) for i in range(count)]
        values = np.stack(parts).astype(np.int8).reshape(1, 1, count, len(sums))
        np.testing.assert_array_equal(values.sum(axis=(0, 1, 2), dtype=int), sums)
        spec = models.int8(values.shape, 0.1, 0)
        model = models.pool_2d(
            "AVERAGE_POOL_2D", spec, window=(1, count), padding="VALID", stride=(1, 1)
        )
        cases.append(Case(model, ((values,),)))
    assert len(assert_on_board(cases, "generic_m4", NAME)) == len(cases)


def test_equals_the_reference() -> None:
    taken = 0

    @settings(deadline=None, max_examples=3)
    @given(cases=st.lists(pools("AVERAGE_POOL_2D", "int8"), min_size=16, max_size=16))
    def check(cases: list[Case]) -> None:
        nonlocal taken
        taken += len(assert_on_board(cases, "generic_m4", NAME))

    check()
    assert taken > 0


def test_windows_that_may_overflow_are_refused() -> None:
    target = load_core(load_board("generic_m4").core).target
    for window, names in (((16, 16), [NAME]), ((257, 1), []), ((17, 16), [])):
        (node,) = read(pool((*window, 4), window).model).nodes
        (call,) = node.op.lower(node.inputs, node.outputs)
        assert [c.name for c in candidates(call, target)] == [*names, "average_pool_2d_s8"]
        wide = replace(call, params={**call.params, "count": 300})
        assert len(candidates(wide, target)) == 1
