"""Compiles and runs variations, and neither twice where the answer is known."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from tinysim.agreement import check_outputs
from tinysim.boards import Board
from tinysim.compiler import Choices, Compilation, compile_graph, other_kernels
from tinysim.compiler.graph import Graph
from tinysim.compiler.reference import Reference
from tinysim.errors import InternalError
from tinysim.simulator import Session, random_inputs
from tinysim.simulator.cores import load_core
from tinysim.simulator.fingerprint import fingerprint
from tinysim.whatif.variations import Variation


@dataclass(frozen=True)
class Run:
    """What a firmware costs on a board. Flash holds a copy of what is started from RAM."""

    cycles: int
    ram_bytes: int
    flash_bytes: int
    fits: bool


class Bench:
    """A model as it is compiled and run today, and whatever is tried instead."""

    def __init__(self, graph: Graph, name: str, board: Board, choices: Choices) -> None:
        self._graph, self._name, self._board = graph, name, board
        self._runs: dict[tuple[bytes, str], Run] = {}
        self._expected: tuple[NDArray[Any], ...] | None = None
        self.compilations = self.simulations = 0
        self._today = self._compile(board, choices)
        self.today = self._run(self._today, board)

    def run(self, variation: Variation) -> Run:
        """Return what a variation costs."""
        if variation.is_same_code:
            return self._run(self._today, variation.board)
        compilation = self._compile(variation.board, variation.choices)
        return self._run(compilation, variation.board)

    def lack(self, variation: Variation) -> str | None:
        """Say what has no room where a variation moves it; None if everything has."""
        now, then = self._board.placement, variation.board.placement
        moved: Counter[str] = Counter()
        for section in self._today.firmware.sections:
            is_weights = section.cause == "weights"
            here, there = (p.constants if is_weights else p.code for p in (now, then))
            moved[there] += section.flash_bytes if here != there else 0
        if then.arena != now.arena:
            moved[then.arena[0]] += self._today.firmware.arena_bytes
        for name, size in moved.items():
            if size > (room := variation.board.region(name).usable_bytes):
                return f"{name} has {room:,} B, {size:,} B are needed"
        return None

    def portable(self, choices: Choices) -> Choices:
        """Return choices with the portable kernel for every node that has another one."""
        target = load_core(self._board.core).target
        others = other_kernels(self._graph, target, choices)
        picks = {node: names[-1] for node, names in enumerate(others) if names}
        return replace(choices, picks=tuple(sorted(picks.items())))

    def _compile(self, board: Board, choices: Choices) -> Compilation:
        self.compilations += 1
        target = load_core(board.core).target
        return compile_graph(self._graph, self._name, board, target, choices)

    def _run(self, compilation: Compilation, board: Board) -> Run:
        """Run one inference, unless these bytes ran on a board that takes the same time."""
        core = load_core(board.core)
        key = compilation.firmware.elf, fingerprint(board, core)
        if key not in self._runs:
            self._runs[key] = self._simulate(compilation, board)
        return self._runs[key]

    def _simulate(self, compilation: Compilation, board: Board) -> Run:
        self.simulations += 1
        firmware = compilation.firmware
        inputs = random_inputs(firmware.inputs)
        if self._expected is None:
            self._expected = Reference(compilation.graph).infer(inputs)
        execution = Session(firmware, board, load_core(board.core)).infer(inputs)
        if check_outputs(self._expected, execution.outputs).status == "mismatch":
            raise InternalError(
                "WRONG OUTPUT: the device's differs from the host's, a bug of tinysim",
                where=f"{self._name} on a variation of {board.name}",
                fix="please report it with the model",
            )
        flash_bytes = sum(section.flash_bytes for section in firmware.sections)
        room = sum(one.usable_bytes for one in board.regions if one.kind == "flash")
        return Run(
            cycles=sum(one.counters.cycles for one in execution.layers) + execution.runtime.cycles,
            ram_bytes=sum(one.used_bytes for one in execution.regions if one.kind == "ram"),
            flash_bytes=flash_bytes,
            fits=flash_bytes <= room and not any(one.overflow_bytes for one in execution.regions),
        )
