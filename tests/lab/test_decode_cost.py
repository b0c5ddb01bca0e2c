"""The decoder that runs on boards finds the weights that were stored."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from tinysim.errors import InternalError
from tinysim.lab.decode_cost import decode_cost
from tinysim.lab.stored_size import FORMS, encode

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="no Arm cross compiler: nothing is decoded"
)

Weights = Mapping[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def weights() -> Weights:
    """Tensors of each form, with one value and many, far apart and near."""
    generator = np.random.default_rng(3)
    values = generator.normal(size=200).astype(np.float32)
    skewed = generator.geometric(0.2, (30, 40)).clip(1, 200) - 1
    return {
        "raw": generator.normal(size=(5, 7)).astype(np.float32),
        "dense": values[skewed],
        "one value": np.full(9, np.float32(-0.25)),
        "two values": np.tile(values[:2], 20),
        "sparse": np.where(generator.random((50, 60)) < 0.1, values[0], np.float32(0)),
        "far apart": np.where(np.arange(4000) % 1999 == 1998, values[1], np.float32(0)),
        "skewed": np.where(generator.random((30, 40)) < 0.2, values[skewed], np.float32(0)),
    }


@pytest.mark.parametrize("board", ["nano33ble", "rpi_pico"])
def test_board_finds_what_was_stored(weights: Weights, board: str) -> None:
    stored = encode(weights)
    assert {tensor.form for tensor in stored.tensors} == set(FORMS)
    cost = decode_cost(stored, weights, board)
    assert cost.buffer_bytes == 4 * 4000
    assert cost.cycles > stored.bits
    assert cost.latency_s > 0
    assert "ms" in str(cost)


def test_other_weights_are_told(weights: Weights) -> None:
    stored = encode(weights)
    others = {**weights, "two values": weights["two values"][::-1]}
    with pytest.raises(InternalError, match="two values on generic_m4"):
        decode_cost(stored, others, "generic_m4")
