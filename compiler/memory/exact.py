"""The smallest arena, proved: offsets as a constraint problem (ortools, extra ``planner``)."""

from __future__ import annotations

from typing import Any

from tinysim.compiler.memory.blocks import ALIGNMENT_BYTES, Block, Problem
from tinysim.compiler.memory.place import Placement, search, size_of
from tinysim.errors import ModelError

#: After this long the best plan so far is taken, with the bound that was proved.
TIME_LIMIT_S = 20.0


def exact(problem: Problem) -> tuple[Placement, int]:
    """Return the best placement that is found in time, and the size that none can beat.

    Raises
    ------
    ModelError
        If ortools is not installed.
    """
    try:
        from ortools.sat.python import cp_model
    except ImportError as error:
        raise ModelError(
            "the exact memory planner needs ortools",
            where="--planner exact",
            fix="pip install 'tinysim[planner]', or take another planner",
        ) from error
    start = search(problem)
    bound = problem.lower_bound_bytes
    if size_of(start) == bound:
        return start, bound
    model: Any = cp_model.CpModel()
    unit = ALIGNMENT_BYTES
    most = size_of(start) // unit
    at = {block: model.new_int_var(0, most, f"at{i}") for i, block in enumerate(problem.blocks)}
    arena = model.new_int_var(bound // unit, most, "arena")
    for block, offset in at.items():
        model.add(offset + block.size_bytes // unit <= arena)
        model.add_hint(offset, start[block] // unit)
    for index, one in enumerate(problem.blocks):
        for other in problem.blocks[:index]:
            if one.meets(other):
                _keep_apart(model, problem, (one, at[one]), (other, at[other]))
    model.minimize(arena)
    solver: Any = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = TIME_LIMIT_S
    solver.parameters.num_workers = 1  # several would find equal plans in another order each time
    solver.parameters.random_seed = 0
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return start, bound
    placed = {block: solver.value(offset) * unit for block, offset in at.items()}
    return placed, int(solver.best_objective_bound) * unit


def _keep_apart(
    model: Any, problem: Problem, one: tuple[Block, Any], other: tuple[Block, Any]
) -> None:
    """One lies below the other, or as an overlap of input and output allows."""
    (a, at_a), (b, at_b) = one, other
    unit = ALIGNMENT_BYTES
    in_place: list[Any] = []
    ways = [(at_a + a.size_bytes // unit, at_b), (at_b + b.size_bytes // unit, at_a)]
    for (x, at_x), (y, at_y) in ((one, other), (other, one)):
        if (rule := problem.overlap(x, y)) is not None:
            if rule.forward is not None:
                ways.append((at_y + -(-rule.forward // unit), at_x))
            if rule.backward is not None:
                ways.append((at_x + -(-rule.backward // unit), at_y))
            if rule.in_place:
                same = model.new_bool_var("")
                model.add(at_x == at_y).only_enforce_if(same)
                in_place.append(same)
    chosen = [model.new_bool_var("") for _ in ways]
    model.add_bool_or(chosen + in_place)
    for (low, high), choice in zip(ways, chosen, strict=True):
        model.add(low <= high).only_enforce_if(choice)
