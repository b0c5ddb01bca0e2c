"""Offsets for blocks, one after another: first fit in several orders, and a search for better ones.

Offsets are tried where something changes: at 0, beside what is placed already, and as near as an
overlap of input and output allows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from tinysim.compiler.memory.blocks import ALIGNMENT_BYTES, Block, Problem

Placement = dict[Block, int]

#: Orders that the search tries, and how many it may try without finding a better one.
SEARCH_ROUNDS, SEARCH_PATIENCE = 400, 120
#: Blocks from which on a round of the search takes too long, and from which on one order must do.
SEARCH_BLOCKS, ORDERS_BLOCKS = 120, 500


def first_fit(problem: Problem) -> Placement:
    """Place blocks in the order in which they are needed (Deutel et al., section 4.1.2)."""
    return _place(problem, sorted(problem.blocks, key=_by_time))


def greedy(problem: Problem) -> Placement:
    """Place the largest first."""
    return _place(problem, sorted(problem.blocks, key=_by_size))


def search(problem: Problem) -> Placement:
    """Place in several orders and in changed ones of the best, until the lower bound is reached.

    What is placed highest in a plan goes earlier in the next. Seeded: the same every time.
    """
    bound = problem.lower_bound_bytes
    best: Placement = {}
    order: list[Block] = []
    keys = (_by_size, _by_time, _by_span, _by_end)
    for key in keys if len(problem.blocks) <= ORDERS_BLOCKS else keys[:1]:
        tried = sorted(problem.blocks, key=key)
        placed = _place(problem, tried)
        if not best or size_of(placed) < size_of(best):
            best, order = placed, tried
    if len(order) > SEARCH_BLOCKS:
        return best
    dice = random.Random(0)
    idle = 0
    for _ in range(SEARCH_ROUNDS):
        if size_of(best) == bound or idle == SEARCH_PATIENCE:
            break
        tried = _changed(order, best, dice)
        placed = _place(problem, tried)
        idle += 1
        if size_of(placed) <= size_of(best):
            idle = 0 if size_of(placed) < size_of(best) else idle
            best, order = placed, tried
    return best


#: Strategies by name; ``exact`` stands in its own module.
STRATEGIES: dict[str, Callable[[Problem], Placement]] = {
    "first-fit": first_fit,
    "greedy": greedy,
    "search": search,
}


def size_of(placed: Placement) -> int:
    """Return the arena that a placement takes."""
    return max((offset + block.size_bytes for block, offset in placed.items()), default=0)


def _changed(order: Sequence[Block], placed: Placement, dice: random.Random) -> list[Block]:
    """Move what reaches the top of the arena, or anything, to an earlier place in the order."""
    top = size_of(placed)
    high = [block for block in order if placed[block] + block.size_bytes == top]
    moved = dice.choice(high) if dice.random() < 0.6 else dice.choice(list(order))
    changed = [block for block in order if block is not moved]
    changed.insert(dice.randrange(len(changed) + 1), moved)
    return changed


def _place(problem: Problem, order: Sequence[Block]) -> Placement:
    placed: Placement = {}
    for block in order:
        placed[block] = _lowest_offset(problem, block, placed)
    return placed


def _lowest_offset(problem: Problem, block: Block, placed: Placement) -> int:
    """Return the lowest offset where ``block`` spoils nothing."""
    rivals = [(other, at) for other, at in placed.items() if block.meets(other)]
    candidates = {0}
    yielding: list[tuple[Block, int]] = []
    taken: list[tuple[int, int]] = []  # between these the block would meet what does not yield
    for other, at in rivals:
        below, above = at - block.size_bytes, at + other.size_bytes
        candidates.add(below)
        candidates.add(above)
        over, under = problem.overlap(other, block), problem.overlap(block, other)
        if over is None and under is None:
            taken.append((below, above))
            continue
        yielding.append((other, at))
        if over is not None:
            candidates |= over.nearest_outputs(at)
        if under is not None:
            candidates |= under.nearest_inputs(at)
    aligned = {-(-offset // ALIGNMENT_BYTES) * ALIGNMENT_BYTES for offset in candidates}
    aligned |= {offset // ALIGNMENT_BYTES * ALIGNMENT_BYTES for offset in candidates}
    taken.sort()
    passed, reach = 0, 0
    for offset in sorted(offset for offset in aligned if offset >= 0):
        while passed < len(taken) and taken[passed][0] < offset:
            reach = max(reach, taken[passed][1])
            passed += 1
        if offset >= reach and not any(
            problem.is_clash(block, offset, other, at) for other, at in yielding
        ):
            return offset
    raise AssertionError("above everything there is always room")


def _by_size(block: Block) -> tuple[int, ...]:
    return (-block.size_bytes, block.first, block.tensor_id, block.scratch)


def _by_time(block: Block) -> tuple[int, ...]:
    return (block.first, -block.size_bytes, block.tensor_id, block.scratch)


def _by_end(block: Block) -> tuple[int, ...]:
    return (-block.last, -block.size_bytes, block.tensor_id, block.scratch)


def _by_span(block: Block) -> tuple[int, ...]:
    return (
        -(block.last - block.first + 1) * block.size_bytes,
        block.first,
        block.tensor_id,
        block.scratch,
    )
