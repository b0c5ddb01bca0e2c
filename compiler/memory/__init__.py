"""Offline memory planning: lifetimes, then offsets in one arena.

An output may lie over an input that nothing needs afterwards, as far as the operator's kernel
allows (``Operator.overlaps``): then a step takes hardly more than its larger tensor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tinysim.compiler.graph import Graph
from tinysim.compiler.memory.blocks import ALIGNMENT_BYTES as ALIGNMENT_BYTES
from tinysim.compiler.memory.blocks import Problem, problem_of
from tinysim.compiler.memory.exact import exact
from tinysim.compiler.memory.place import STRATEGIES, Placement, size_of
from tinysim.compiler.ops import KernelCall
from tinysim.errors import ModelError

#: Names of the strategies, the usual one first.
PLANNERS = ("search", "exact", *sorted(STRATEGIES.keys() - {"search"}))


#: Largest offset that C's integers here can hold.
MAX_ARENA_BYTES = 2**31 - 1


@dataclass(frozen=True)
class MemoryPlan:
    """Where every tensor lies in the arena.

    ``lifetimes`` are inclusive ranges of node indices; -1 is before the first node (inputs) and
    ``len(nodes)`` behind the last (outputs). ``lower_bound_bytes`` is what no plan of this order
    can beat. ``scratch_offsets`` is by node index; nodes in ``backward`` must run from their last
    element to the first.
    """

    arena_bytes: int
    lower_bound_bytes: int
    offsets: Mapping[int, int]
    lifetimes: Mapping[int, tuple[int, int]]
    scratch_offsets: Mapping[int, int]
    planner: str = "search"
    backward: frozenset[int] = field(default=frozenset())


def plan_memory(
    graph: Graph, calls: Sequence[tuple[KernelCall, ...]], planner: str = "search"
) -> MemoryPlan:
    """Give every activation and scratch buffer an offset in the arena.

    Raises
    ------
    ModelError
        If the arena would be larger than what 32-bit offsets reach.
    """
    problem = problem_of(graph, calls)
    bound = problem.lower_bound_bytes
    if bound > MAX_ARENA_BYTES:
        raise _too_large(graph, bound)
    if planner == "exact":
        placed, bound = exact(problem)
    else:
        placed = STRATEGIES[planner](problem)
    if (arena_bytes := size_of(placed)) > MAX_ARENA_BYTES:
        raise _too_large(graph, arena_bytes)
    offsets = {block.tensor_id: at for block, at in placed.items() if block.scratch < 0}
    return MemoryPlan(
        arena_bytes=arena_bytes,
        lower_bound_bytes=bound,
        offsets=offsets,
        lifetimes={b.tensor_id: (b.first, b.last) for b in problem.blocks if b.scratch < 0},
        scratch_offsets={block.scratch: at for block, at in placed.items() if block.scratch >= 0},
        planner=planner,
        backward=_backward(problem, placed),
    )


def _too_large(graph: Graph, arena_bytes: int) -> ModelError:
    return ModelError(
        f"activations take {arena_bytes:,} bytes, a 32-bit core reaches fewer",
        where=graph.name,
        fix="give a smaller model, or smaller inputs",
    )


def directed(
    calls: Sequence[tuple[KernelCall, ...]], plan: MemoryPlan
) -> tuple[tuple[KernelCall, ...], ...]:
    """Return the calls with the direction that the plan wants of them."""
    turned = list(calls)
    for index in plan.backward:
        (call,) = calls[index]
        assert "is_backward" in call.params, f"{call.kernel} cannot run backward"
        turned[index] = (replace(call, params={**call.params, "is_backward": 1}),)
    return tuple(turned)


def _backward(problem: Problem, placed: Placement) -> frozenset[int]:
    """Find the nodes whose output lies over an input in a way that wants the last element first."""
    blocks = {block.tensor_id: (block, at) for block, at in placed.items() if block.scratch < 0}
    found = set()
    for (source, target), rule in problem.overlaps.items():
        (one, at), (other, there) = blocks[source], blocks[target]
        is_apart = at + one.size_bytes <= there or there + other.size_bytes <= at
        if not is_apart and not rule.allows_forward(at, there):
            found.add(other.first)
    return frozenset(found)
