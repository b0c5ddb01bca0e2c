"""Offline memory planning: lifetimes, then offsets in one arena.

Greedy by size: the largest tensor first, each at the lowest offset where it overlaps nothing that
lives at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinysim.compiler.graph import Graph
from tinysim.compiler.ops import KernelCall

#: Every tensor starts at a multiple of this: word accesses and float tensors need no more.
ALIGNMENT_BYTES = 4


@dataclass(frozen=True)
class MemoryPlan:
    """Where every tensor lies in the arena.

    ``lifetimes`` are inclusive ranges of node indices; -1 is before the first node (inputs) and
    ``len(nodes)`` behind the last (outputs). ``lower_bound_bytes`` is what no plan of this order
    can beat: the most that is alive at once. ``scratch_offsets`` is by node index.
    """

    arena_bytes: int
    lower_bound_bytes: int
    offsets: Mapping[int, int]
    lifetimes: Mapping[int, tuple[int, int]]
    scratch_offsets: Mapping[int, int]


@dataclass(frozen=True)
class _Block:
    """Something that needs room for a while; ``scratch`` is a node index, or -1."""

    tensor_id: int
    scratch: int
    size_bytes: int
    first: int
    last: int


def plan_memory(graph: Graph, calls: Sequence[tuple[KernelCall, ...]]) -> MemoryPlan:
    """Give every activation and scratch buffer an offset in the arena."""
    lifetimes, sizes = _lifetimes(graph)
    blocks = [_Block(i, -1, _aligned(sizes[i]), *lifetimes[i]) for i in lifetimes] + [
        _Block(-1, index, _aligned(size), index, index)
        for index, parts in enumerate(calls)
        if (size := max(call.scratch_bytes for call in parts))
    ]
    placed: list[tuple[_Block, int]] = []
    for block in sorted(blocks, key=lambda b: (-b.size_bytes, b.first, b.tensor_id, b.scratch)):
        placed.append((block, _lowest_offset(block, placed)))
    return MemoryPlan(
        arena_bytes=max((offset + block.size_bytes for block, offset in placed), default=0),
        lower_bound_bytes=max(
            (_alive_bytes(blocks, step) for step in range(-1, len(graph.nodes) + 1)), default=0
        ),
        offsets={block.tensor_id: offset for block, offset in placed if block.scratch < 0},
        lifetimes=lifetimes,
        scratch_offsets={block.scratch: offset for block, offset in placed if block.scratch >= 0},
    )


def _lifetimes(graph: Graph) -> tuple[dict[int, tuple[int, int]], dict[int, int]]:
    """Return when each stored tensor lives, and its size in bytes."""
    states = [state.tensor for state in graph.states]
    first = {tensor.id: -1 for tensor in (*graph.inputs, *states)}
    last = dict(first)
    sizes = {tensor.id: tensor.size_bytes for tensor in (*graph.inputs, *states)}
    for index, node in enumerate(graph.nodes):
        for tensor in node.activations:
            last[tensor.id] = index
        for tensor in node.outputs:
            first.setdefault(tensor.id, index)
            last[tensor.id] = index
            sizes.setdefault(tensor.id, tensor.size_bytes)
    for tensor in (*graph.outputs, *states):
        last[tensor.id] = len(graph.nodes)
    return {i: (first[i], last[i]) for i in first}, sizes


def _lowest_offset(block: _Block, placed: list[tuple[_Block, int]]) -> int:
    """Return the lowest offset where ``block`` meets nothing that is alive with it."""
    rivals = sorted(
        (offset, offset + other.size_bytes)
        for other, offset in placed
        if other.first <= block.last and block.first <= other.last
    )
    candidate = 0
    for low, high in rivals:
        if candidate + block.size_bytes <= low:
            break
        candidate = max(candidate, high)
    return candidate


def _alive_bytes(blocks: list[_Block], step: int) -> int:
    return sum(b.size_bytes for b in blocks if b.first <= step <= b.last)


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
