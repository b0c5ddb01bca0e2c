"""What reports are told of the arena is what the firmware does with it."""

from __future__ import annotations

import pytest

import tinysim
from tests.conftest import DEMO_MODEL


@pytest.mark.parametrize("board", ["generic_m4", "nucleo_l4r5zi"])  # this one copies weights
def test_placements_fill_the_arena_as_planned(board: str) -> None:
    profile = tinysim.run(DEMO_MODEL, board)
    kinds = [one.kind for one in profile.tensors]
    assert kinds.count("input") == kinds.count("output") == 1
    assert max(one.offset_bytes + one.size_bytes for one in profile.tensors) == profile.arena_bytes
    for one in profile.tensors:
        assert -1 <= one.first_layer <= one.last_layer <= len(profile.layers)
    for layer in profile.layers:
        alive = [t for t in profile.tensors if t.first_layer <= layer.index <= t.last_layer]
        largest = max(one.size_bytes for one in alive)
        assert largest <= profile.arena_bytes
        assert any(one.first_layer == layer.index for one in alive), "a layer writes something"


def test_functions_and_call_paths_add_up_to_all_cycles() -> None:
    profile = tinysim.run(DEMO_MODEL, "generic_m4")
    assert sum(one.own.cycles for one in profile.functions) == profile.cycles
    assert sum(cycles for _, cycles in profile.paths) == profile.cycles
