"""Choose kernels by simulation: what the cost rule estimates, the emulated board measures.

Layers do not wait for each other, so all of them are tried at once: in each round every layer is
computed by its next candidate, and the fastest of each layer make the final firmware. That is run,
too, and must be faster as a whole than what the cost rule picks; otherwise the rule is followed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tinysim.agreement import check_outputs
from tinysim.boards import Board
from tinysim.compiler import Choices, Compilation, compile_graph, other_kernels
from tinysim.compiler.graph import Graph
from tinysim.compiler.readers import read_model
from tinysim.errors import SimulationError, ToolchainError
from tinysim.simulator import Execution, Session, random_inputs
from tinysim.simulator.cores import Core, load_core
from tinysim.simulator.machine import Limits
from tinysim.simulator.tuning import TunedLayer, Tuning
from tinysim.tune import cache

#: Candidates by index of the node that they compute.
Picks = dict[int, str]


@dataclass(frozen=True, eq=False)
class _Trial:
    """A firmware as it ran: what computed which layer, and what that cost."""

    picks: Picks
    cycles: int
    layers: tuple[int, ...]
    flash_bytes: int
    fits: bool
    outputs: tuple[NDArray[Any], ...]


def tuned(
    model: str | Path,
    board: Board,
    choices: Choices,
    *,
    limits: Limits | None = None,
    fidelity: int | None = None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> tuple[Choices, Tuning]:
    """Return the choices with the kernels that are the fastest on a board, and what they won.

    Picks that are given stay. ``balanced`` and ``size`` choose among what the cost rule allows, and
    ``size`` takes nothing that makes the image larger. What was found is kept in the user's cache
    folder (see ``tinysim.tune.cache``), by the content of all that it depends on.
    """
    core = load_core(board.core)
    graph = read_model(Path(model))
    given = dict(choices.picks)
    others = tuple(
        () if node in given else names
        for node, names in enumerate(other_kernels(graph, core.target, choices))
    )
    key = cache.key_for(graph.sha256, board, core, choices, others, fidelity)
    kept = cache.read(key, others)
    if kept is None:
        bench = _Bench(graph, Path(model).name, board, core, choices, limits, fidelity)
        kept = _search(bench, others, on_stage)
        cache.write(key, kept)
    picks = given | {layer.index: layer.kernel for layer in kept.layers}
    return replace(choices, picks=tuple(sorted(picks.items()))), kept


def _search(
    bench: _Bench, others: Sequence[tuple[str, ...]], on_stage: Callable[[str], None]
) -> Tuning:
    """Try all candidates, a round each, and then the fastest of each layer together."""
    rounds = max(map(len, others), default=0)
    on_stage(f"tuning: the rule's kernels and {rounds} rounds of others")
    rule = bench.run({})
    trials = [rule]
    for turn in range(rounds):
        on_stage(f"tuning: round {turn + 1} of {rounds}")
        picks = {node: names[turn] for node, names in enumerate(others) if turn < len(names)}
        trials += bench.attempt(picks, rule)
    picks = _fastest(trials)
    if all(trial.picks != picks for trial in trials):
        on_stage("tuning: the fastest together")
        trials += bench.attempt(picks, rule)
    best = min((t for t in trials if bench.is_allowed(t, rule)), key=lambda trial: trial.cycles)
    return Tuning(
        trials=len(trials),
        rule_cycles=rule.cycles,
        cycles=best.cycles,
        layers=tuple(
            TunedLayer(node, name, best.layers[node], rule.layers[node])
            for node, name in best.picks.items()
        ),
    )


def _fastest(trials: Sequence[_Trial]) -> Picks:
    """Return the fastest candidate of each layer; the rule's, tried first, if none is faster."""
    picks: Picks = {}
    for node in range(len(trials[0].layers)):
        best = min(trials, key=lambda trial: trial.layers[node])
        if node in best.picks:
            picks[node] = best.picks[node]
    return picks


@dataclass(frozen=True, eq=False)
class _Bench:
    """Where firmware is tried: a model, a board, and the user's choices."""

    graph: Graph
    name: str
    board: Board
    core: Core
    choices: Choices
    limits: Limits | None
    fidelity: int | None

    def run(self, picks: Picks) -> _Trial:
        """Compile with these candidates and run one inference of seeded random inputs."""
        everything = tuple(sorted((dict(self.choices.picks) | picks).items()))
        choices = replace(self.choices, picks=everything)
        compilation = compile_graph(self.graph, self.name, self.board, self.core.target, choices)
        firmware = compilation.firmware
        session = Session(firmware, self.board, self.core, self.limits, fidelity=self.fidelity)
        execution = session.infer(random_inputs(firmware.inputs))
        return _trial(picks, compilation, execution)

    def attempt(self, picks: Picks, rule: _Trial) -> list[_Trial]:
        """Return a trial that can be compared with the rule's, or nothing.

        A candidate that cannot be built, faults or computes something else is a mistake of ours,
        and no reason to fail: the model can be computed without it.
        """
        try:
            trial = self.run(picks)
        except (SimulationError, ToolchainError):
            return []
        is_same = check_outputs(rule.outputs, trial.outputs).status != "mismatch"
        return [trial] if is_same else []

    def is_allowed(self, trial: _Trial, rule: _Trial) -> bool:
        """Whether a firmware is no worse than the rule's in what it needs of memory."""
        is_small = self.choices.optimize != "size" or trial.flash_bytes <= rule.flash_bytes
        return is_small and (trial.fits or not rule.fits)


def _trial(picks: Picks, compilation: Compilation, execution: Execution) -> _Trial:
    layers = tuple(layer.counters.cycles for layer in execution.layers)
    return _Trial(
        picks=picks,
        cycles=sum(layers) + execution.runtime.cycles,
        layers=layers,
        flash_bytes=sum(section.flash_bytes for section in compilation.firmware.sections),
        fits=not any(region.overflow_bytes for region in execution.regions),
        outputs=execution.outputs,
    )
