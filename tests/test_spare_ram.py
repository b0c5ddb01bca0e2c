"""Weights move to spare RAM where flash is slow, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests import tflite_models as models
from tests.operators.on_board import read
from tinysim.boards import load_board
from tinysim.compiler import Choices, compile_graph
from tinysim.compiler.graph import Graph
from tinysim.compiler.reference import Reference
from tinysim.simulator import Session, random_inputs
from tinysim.simulator.cores import load_core

BOARD = "nucleo_l4r5zi"


@pytest.fixture(scope="module")
def graph() -> Graph:
    """A pointwise convolution whose weights do not fit the cache of the board."""
    rng = np.random.default_rng(0)
    x = models.int8((1, 6, 6, 32), 0.5, 3)
    weights = rng.integers(-127, 127, (32, 1, 1, 32), np.int8, endpoint=True)
    filter_ = models.constant(weights, (2.0**-9,) * 32)
    return read(models.conv_2d(x, filter_, None, models.int8((), 0.25, -4)))


def run(graph: Graph, board_name: str, optimize: str) -> tuple[int, int, bool]:
    """Return cycles, bytes of the arena, and whether weights are copied; outputs are right."""
    board = load_board(board_name)
    core = load_core(board.core)
    compiled = compile_graph(graph, "case", board, core.target, Choices(optimize))
    inputs = random_inputs(compiled.firmware.inputs)
    execution = Session(compiled.firmware, board, core).infer(inputs)
    (expected,) = Reference(compiled.graph).infer(inputs)
    np.testing.assert_array_equal(execution.outputs[0], expected)
    (layer,) = execution.layers
    is_copied = b"ts_copy_words(" in compiled.files["model.c"]
    return layer.counters.cycles, compiled.firmware.arena_bytes, is_copied


def test_speed_takes_ram_and_saves_time(graph: Graph) -> None:
    fast, large, is_copied = run(graph, BOARD, "speed")
    slow, small, is_copied_without_room = run(graph, BOARD, "balanced")
    assert is_copied and not is_copied_without_room
    assert large > small
    assert fast < 0.9 * slow


def test_balanced_takes_what_another_layer_needs_anyway(graph: Graph) -> None:
    """The same layer behind one whose input is large."""
    x = models.int8((1, 6, 6, 256), 0.5, 0)
    filter_ = models.constant(np.ones((32, 1, 1, 256), np.int8), (2.0**-12,) * 32)
    before = read(models.conv_2d(x, filter_, None, models.int8((), 0.5, 3)))
    (first,), (second,) = before.nodes, graph.nodes
    constants = [None if t is None else replace(t, id=t.id + 100) for t in second.inputs[1:]]
    outputs = tuple(replace(tensor, id=tensor.id + 100) for tensor in second.outputs)
    behind = replace(second, inputs=(first.outputs[0], *constants), outputs=outputs)
    chain = replace(before, nodes=(first, behind), outputs=outputs)
    arenas = {}
    for name in ("generic_m4", BOARD):
        board = load_board(name)
        target = load_core(board.core).target
        compiled = compile_graph(chain, "case", board, target, Choices("balanced"))
        arenas[name] = compiled.firmware.arena_bytes
    assert b"ts_copy_words(" in compiled.files["model.c"]
    assert len(set(arenas.values())) == 1


@pytest.mark.parametrize("board", ["generic_m4", "generic_m33"])
def test_nothing_moves_where_flash_does_not_wait(graph: Graph, board: str) -> None:
    assert not run(graph, board, "speed")[2]


def test_size_copies_nothing(graph: Graph) -> None:
    assert not run(graph, BOARD, "size")[2]
