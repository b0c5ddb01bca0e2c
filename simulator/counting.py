"""Runs -> counters: what was executed, added up by whoever it belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tinysim.simulator.machine import Machine
from tinysim.simulator.profile import STALLS, Counters

#: The causes of ``RunCount.stall_millicycles``.
WAITS = ("flash", "data", "divide", "branch")


def count_by_context(machine: Machine) -> dict[int, Counters]:
    """Add up what the tracer has counted, for each context of the call tree."""
    return count(machine, range(len(machine.tracer.contexts())))


def count(machine: Machine, owner: Sequence[int]) -> dict[int, Counters]:
    """Add up what the tracer has counted.

    Parameters
    ----------
    machine
        Gives the runs and what they cost.
    owner
        For each context of the call tree, the number under which its cycles are added.
    """
    issue: Counter[int] = Counter()
    instructions: Counter[int] = Counter()
    waits: dict[int, list[int]] = {}
    stalls: dict[int, Counter[str]] = {}
    for run in machine.tracer.counts():
        mine = owner[run.context]
        cost = machine.prices.run_cost(run.start, run.end, run.is_taken)
        issue[mine] += run.count * cost.issue_cycles
        instructions[mine] += run.count * cost.instructions
        so_far = waits.setdefault(mine, [0] * len(WAITS))
        waits[mine] = [a + b for a, b in zip(so_far, run.stall_millicycles, strict=True)]
        causes = stalls.setdefault(mine, Counter())
        for cause, cycles in cost.stalls.items():
            causes[cause] += run.count * cycles
    for mine, causes in stalls.items():
        for cause, millicycles in zip(WAITS, waits[mine], strict=True):
            causes[cause] += millicycles // 1000
    return {
        mine: Counters(instructions[mine], issue[mine], {cause: causes[cause] for cause in STALLS})
        for mine, causes in stalls.items()
    }
