"""Tuned kernels on emulated boards: many cases in one firmware, against the numpy reference."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.operators.harness import Case
from tinysim.boards import load_board
from tinysim.compiler import Choices, compile_graph
from tinysim.compiler.graph import Array, Graph, Tensor
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.passes import run_passes
from tinysim.compiler.readers import read_model
from tinysim.compiler.reference import Reference
from tinysim.compiler.variants import candidates
from tinysim.simulator import Session
from tinysim.simulator.cores import load_core


def assert_on_board(
    cases: Sequence[Case],
    board: str,
    name: str,
    right: Callable[[Case], list[list[Array]]] | None = None,
) -> dict[int, int]:
    """Compute models of one operator by the candidate ``name``; outputs equal the reference's.

    ``right`` gives outputs by step in its stead. Cases that the candidate is not for are left out;
    the cycles of the others are returned, by index of the case. A test must see to it that some are
    left.
    """
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("no cross compiler on this host: tuned kernels cannot be built")
    description = load_board(board)
    core = load_core(description.core)
    taken = []
    for index, case in enumerate(cases):
        graph = read(case.model)
        call = portable_call(graph)
        if any(candidate.name == name for candidate in candidates(call, core.target)):
            taken.append((index, case, graph))
    if not taken:
        return {}
    graph = merged([graph for _, _, graph in taken])
    picks = tuple((index, name) for index in range(len(taken)))
    choices = Choices(keeps_constant_channels=True, picks=picks)
    compiled = compile_graph(graph, "cases", description, core.target, choices)
    session = Session(compiled.firmware, description, core)
    reference = Reference(compiled.graph)
    wanted = [right(case) for _, case, _ in taken] if right else []
    cycles = {}
    for step in range(min(len(case.steps) for _, case, _ in taken)):
        inputs = tuple(values for _, case, _ in taken for values in case.steps[step])
        execution = session.infer(inputs)
        expected = [outputs[step][0] for outputs in wanted] or reference.infer(inputs)
        assert execution.arena_written_bytes <= compiled.firmware.arena_bytes
        for (index, _, _), ours, theirs, layer in zip(
            taken, execution.outputs, expected, execution.layers, strict=True
        ):
            np.testing.assert_array_equal(ours, theirs, err_msg=f"case {index}, {name}")
            if theirs.dtype.kind == "f":  # -0 equals 0 above
                a, b = (np.signbit(values) & ~np.isnan(theirs) for values in (ours, theirs))
                np.testing.assert_array_equal(a, b, err_msg=f"case {index}, {name}: signs")
            cycles[index] = layer.counters.cycles
    return cycles


def portable_call(graph: Graph) -> KernelCall:
    """Return how a graph of one operator is lowered."""
    (node,) = run_passes(graph, keeps_constant_channels=True).nodes
    (call,) = node.op.lower(node.inputs, node.outputs)
    return call


def tuned_call(model: bytes, board: str, name: str) -> KernelCall:
    """Return what the candidate ``name`` makes of a model of one operator."""
    target = load_core(load_board(board).core).target
    found = candidates(portable_call(read(model)), target)
    (call,) = (candidate.call for candidate in found if candidate.name == name)
    return call


def merged(graphs: Sequence[Graph]) -> Graph:
    """Return one graph that computes all of them, one after the other."""
    first, nodes, inputs, outputs = 0, [], [], []
    for graph in graphs:
        used = [t for node in graph.nodes for t in (*node.inputs, *node.outputs) if t is not None]

        def moved(tensor: Tensor | None, by: int = first) -> Tensor | None:
            return None if tensor is None else replace(tensor, id=tensor.id + by)

        for node in graph.nodes:
            ends = (tuple(map(moved, node.inputs)), tuple(map(moved, node.outputs)))
            nodes.append(replace(node, inputs=ends[0], outputs=ends[1]))  # type: ignore[arg-type]
        inputs += [replace(tensor, id=tensor.id + first) for tensor in graph.inputs]
        outputs += [replace(tensor, id=tensor.id + first) for tensor in graph.outputs]
        first += 1 + max(tensor.id for tensor in (*used, *graph.inputs, *graph.outputs))
    return replace(
        graphs[0], nodes=tuple(nodes), inputs=tuple(inputs), outputs=tuple(outputs), removed=()
    )


def read(model: bytes) -> Graph:
    """Read a model through the front door: from a file."""
    with tempfile.TemporaryDirectory(prefix="tinysim-test-") as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(model)
        return read_model(path)
