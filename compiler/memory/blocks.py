"""What needs room in the arena, when, and what may lie over what it is computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from tinysim.compiler.graph import Graph, Node
from tinysim.compiler.ops import KernelCall, Overlap

#: Every tensor starts at a multiple of this: word accesses and float tensors need no more.
ALIGNMENT_BYTES = 4


@dataclass(frozen=True)
class Block:
    """Something that needs room from step ``first`` to step ``last``, both included.

    ``tensor_id`` is -1 for the scratch buffer of node ``scratch``, which is -1 for tensors.
    """

    tensor_id: int
    scratch: int
    size_bytes: int
    first: int
    last: int

    def meets(self, other: Block) -> bool:
        """Whether both are needed at the same time."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Problem:
    """Blocks to be placed; ``overlaps`` holds, by (input, output) tensor, what a node allows."""

    blocks: tuple[Block, ...]
    overlaps: Mapping[tuple[int, int], Overlap]
    steps: int

    def overlap(self, one: Block, other: Block) -> Overlap | None:
        """Return how the output ``other`` may lie over the input ``one``."""
        return self.overlaps.get((one.tensor_id, other.tensor_id))

    def is_clash(self, one: Block, at: int, other: Block, there: int) -> bool:
        """Tell whether a block at an offset spoils another at its own."""
        if not one.meets(other):
            return False
        if at + one.size_bytes <= there or there + other.size_bytes <= at:
            return False
        if (rule := self.overlap(one, other)) is not None:
            return not rule.allows(at, there)
        if (rule := self.overlap(other, one)) is not None:
            return not rule.allows(there, at)
        return True

    def alive_bytes(self, step: int) -> int:
        """Return what no plan can do without at a step, overlaps made the most of."""
        alive = [block for block in self.blocks if block.first <= step <= block.last]
        total = sum(block.size_bytes for block in alive)
        sizes = {block.tensor_id: block.size_bytes for block in alive if block.scratch < 0}
        saved = 0
        for (source, target), rule in self.overlaps.items():
            if source in sizes and target in sizes:
                together = rule.together_bytes(sizes[source], sizes[target])
                saved = max(saved, sizes[source] + sizes[target] - together)
        return total - saved

    @cached_property
    def lower_bound_bytes(self) -> int:
        """What no plan in this order of nodes can beat."""
        return max(map(self.alive_bytes, range(-1, self.steps + 1)), default=0)


def problem_of(graph: Graph, calls: Sequence[tuple[KernelCall, ...]]) -> Problem:
    """Collect lifetimes, sizes and allowed overlaps of a graph's tensors and scratch buffers."""
    lifetimes, sizes = _lifetimes(graph)
    tensors = [Block(i, -1, aligned(sizes[i]), *lifetimes[i]) for i in lifetimes]
    scratch = [
        Block(-1, index, aligned(size), index, index)
        for index, parts in enumerate(calls)
        if (size := scratch_bytes(graph.nodes[index], parts))
    ]
    kept = {state.tensor.id for state in graph.states}
    overlaps = {
        pair: rule
        for index, node in enumerate(graph.nodes)
        for pair, rule in _overlaps(node, calls[index]).items()
        if lifetimes[pair[0]][1] == index and not kept.intersection(pair)
    }
    return Problem((*tensors, *scratch), overlaps, len(graph.nodes))


def scratch_bytes(node: Node, calls: tuple[KernelCall, ...]) -> int:
    """Return the scratch buffer of a node: the operator's own, then the most a kernel wants."""
    sizes = (aligned(call.scratch_bytes) + call.copied_bytes for call in calls)
    return own_scratch_bytes(node) + max(sizes, default=0)


def own_scratch_bytes(node: Node) -> int:
    """Return what the operator keeps of a scratch buffer; its kernels' own lies behind."""
    return aligned(node.op.workspace_bytes(node.inputs, node.outputs))


def _rules(node: Node, calls: tuple[KernelCall, ...]) -> Mapping[int, Overlap]:
    """Return how the first output may lie over each input, as operator or kernel says."""
    if len(calls) != 1 or (own := calls[0].overlaps) is None:
        return node.op.overlaps(node.inputs, node.outputs)
    places = {index: calls[0].inputs[index].id for index in own}
    return {
        position: own[index]
        for index, tensor_id in places.items()
        for position, tensor in enumerate(node.inputs)
        if tensor is not None and tensor.id == tensor_id
    }


def _overlaps(node: Node, calls: tuple[KernelCall, ...]) -> dict[tuple[int, int], Overlap]:
    """Return what a node allows of its inputs and its first output; the stricter of two rules."""
    found: dict[tuple[int, int], Overlap] = {}
    rules = _rules(node, calls)
    if len(rules) > 1:  # a node has one direction: with several inputs it is the usual one
        rules = {index: replace(rule, backward=None) for index, rule in rules.items()}
    for index, rule in rules.items():
        tensor = node.inputs[index]
        if tensor is None or tensor.data is not None or tensor.id == node.outputs[0].id:
            continue
        pair = (tensor.id, node.outputs[0].id)
        found[pair] = rule.stricter(found[pair]) if pair in found else rule
    read = [tensor.id for index, tensor in enumerate(node.inputs) if tensor and index not in rules]
    return {pair: rule for pair, rule in found.items() if pair[0] not in read}


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


def aligned(size_bytes: int) -> int:
    """Round up to the alignment."""
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
