"""Runs -> the hottest innermost loops, with what each of their instructions cost.

A loop is the code from the target of a backward branch to the branch; an innermost one holds no
other. What a run waited for memory is known of the run as a whole: a loop gets its share of that,
by instructions, and the instructions themselves get none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tinysim.simulator.counting import WAITS
from tinysim.simulator.decode import Instruction
from tinysim.simulator.machine import Machine
from tinysim.simulator.pipeline import RunCost
from tinysim.simulator.profile import STALLS, Counters, HotInstruction, HotLoop

HOTTEST_LOOPS = 12
#: How many of the executions of its first instruction go round, in a loop worth the name.
ROUNDS_MIN = 0.1


def hot_loops(machine: Machine, layer_of: Sequence[int | None]) -> tuple[HotLoop, ...]:
    """Return the innermost loops that took the most cycles, the most expensive first.

    Parameters
    ----------
    machine
        Holds the runs, what they cost, and their code.
    layer_of
        For each context of the call tree, the index of the layer that it belongs to.
    """
    runs = _runs(machine)

    def estimate(span: tuple[int, int]) -> int:
        start, end = span
        return sum(
            run.cycles * (min(end, run.end) - max(start, run.start)) // (run.end - run.start)
            for run in _through(runs, start, end)
        )

    spans = sorted(_innermost(machine, runs), key=estimate, reverse=True)[:HOTTEST_LOOPS]
    found = [_loop(machine, start, end, runs, layer_of) for start, end in spans]
    return tuple(sorted(found, key=lambda loop: (-loop.counters.cycles, loop.start)))


@dataclass
class _Run:
    """A run in all contexts together; ``cycles`` are those of all executions."""

    start: int
    end: int
    is_taken: bool
    count: int = 0
    cycles: int = 0
    wait_millicycles: list[int] = field(default_factory=lambda: [0] * len(WAITS))
    contexts: list[int] = field(default_factory=list)


def _runs(machine: Machine) -> list[_Run]:
    found: dict[tuple[int, int, bool], _Run] = {}
    for one in machine.tracer.counts():
        key = (one.start, one.end, one.is_taken)
        run = found.setdefault(key, _Run(*key))
        run.count += one.count
        price = machine.prices.run_cost(*key)
        run.cycles += one.count * price.cycles + sum(one.stall_millicycles) // 1000
        waits = zip(run.wait_millicycles, one.stall_millicycles, strict=True)
        run.wait_millicycles = [a + b for a, b in waits]
        run.contexts.append(one.context)
    return list(found.values())


def _through(runs: Iterable[_Run], start: int, end: int) -> list[_Run]:
    """Return the runs that came by between two addresses."""
    return [run for run in runs if run.start < end and run.end > start]


def _innermost(machine: Machine, runs: Sequence[_Run]) -> list[tuple[int, int]]:
    """Find where innermost loops begin and end; of those that overlap, the one that loops most.

    What hardly ever goes round is left out: a block out of line that jumps back into the middle of
    a loop looks like a loop, too, and would hide the one around it.
    """
    rounds: Counter[tuple[int, int]] = Counter()
    for run in runs:
        branch = machine.prices.decoder.between(run.start, run.end)[-1]
        target = _target(branch) if run.is_taken else None
        if target is not None and target <= branch.address and _stays(machine, target, branch):
            rounds[target, run.end] += run.count
    loops = [
        (start, end)
        for start, end in rounds
        if rounds[start, end] >= ROUNDS_MIN * sum(r.count for r in _through(runs, start, start + 1))
    ]
    innermost = [
        (start, end)
        for start, end in loops
        if not any(start <= a and b <= end and (a, b) != (start, end) for a, b in loops)
    ]
    kept: list[tuple[int, int]] = []
    for start, end in sorted(innermost, key=lambda span: (-rounds[span], span)):
        if all(end <= low or high <= start for low, high in kept):
            kept.append((start, end))
    return kept


def _target(branch: Instruction) -> int | None:
    """Return where a direct branch leads."""
    return int(branch.text.rpartition("#")[2], 0) if branch.kind == "branch" else None


def _stays(machine: Machine, target: int, branch: Instruction) -> bool:
    """Tell a loop from a jump to another function in the place of a call."""
    return _function(machine, target) == _function(machine, branch.address)


def _function(machine: Machine, address: int) -> str:
    return machine.image.function_at(address).partition("+")[0]


def _loop(
    machine: Machine,
    start: int,
    end: int,
    runs: Iterable[_Run],
    layer_of: Sequence[int | None],
) -> HotLoop:
    """Add up what the runs through a loop cost there, by the instructions that were executed."""
    through = _through(runs, start, end)
    executed: dict[int, Instruction] = {}  # data may lie between them
    costs: defaultdict[int, list[tuple[int, RunCost]]] = defaultdict(list)
    waits = [0] * len(WAITS)
    for run in through:
        steps = machine.prices.steps(run.start, run.end, run.is_taken)
        inside = [(one, cost) for one, cost in steps if start <= one.address < end]
        for one, cost in inside:
            executed[one.address] = one
            costs[one.address].append((run.count, cost))
        share = zip(waits, run.wait_millicycles, strict=True)
        waits = [a + b * len(inside) // len(steps) for a, b in share]
    body = tuple(
        HotInstruction(address, one.text, _sum(costs[address]))
        for address, one in sorted(executed.items())
    )
    waited = {cause: wait // 1000 for cause, wait in zip(WAITS, waits, strict=True)}
    layers = {layer_of[context] for run in through for context in run.contexts}
    return HotLoop(
        function=_function(machine, start),
        start=start,
        end=end,
        layers=tuple(sorted(layer for layer in layers if layer is not None)),
        iterations=body[0].executions,
        counters=Counters.total([*(one.counters for one in body), Counters(0, 0, waited)]),
        body=body,
    )


def _sum(costs: Iterable[tuple[int, RunCost]]) -> Counters:
    """Add up what an instruction cost in several runs, each so many times."""
    instructions = issue = 0
    stalls: Counter[str] = Counter()
    for times, cost in costs:
        instructions += times
        issue += times * cost.issue_cycles
        for cause, cycles in cost.stalls.items():
            stalls[cause] += times * cycles
    return Counters(instructions, issue, {cause: stalls[cause] for cause in STALLS})
