"""Weights that are read many times move to spare RAM before a layer runs, where flash is slow.

A convolution reads its weights once for every two pixels. Behind wait states and a cache smaller
than they are, each pass waits for flash again. RAM that other layers need is spare in this one: a
copy of the weights there, made as the layer begins, is read without waiting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tinysim.boards import Board
from tinysim.compiler.graph import Graph
from tinysim.compiler.memory import MemoryPlan, plan_memory
from tinysim.compiler.memory.blocks import problem_of
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.toolchain import STACK_RESERVE_BYTES, arena_region

Calls = tuple[tuple[KernelCall, ...], ...]

#: How much larger the arena may become: this many times or, for small ones, by this much.
GROWTH, GROWTH_BYTES = 1.5, 8192
#: Cycles that copying a byte takes besides waiting for flash: eight words by LDM and STM.
COPY_CYCLES = 0.7
#: Bytes that flash delivers at a time, where no cache's description says it.
FLASH_WORD_BYTES = 8


def use_spare_ram(
    graph: Graph, calls: Calls, plan: MemoryPlan, board: Board, optimize: str
) -> tuple[Calls, MemoryPlan]:
    """Return calls that have their weights copied where that pays, and the plan with the copies."""
    if optimize == "size":
        return calls, plan
    limit = _limit_bytes(plan, board, optimize)
    gains = {
        index: gain for index, parts in enumerate(calls) if (gain := _gain_cycles(parts, board)) > 0
    }
    copied = list(calls)
    for index in sorted(gains, key=lambda index: -gains[index]):
        (call,) = calls[index]
        tried = [*copied[:index], (replace(call, is_copied=True),), *copied[index + 1 :]]
        if problem_of(graph, tried).alive_bytes(index) <= limit:
            copied = tried
    while copied != list(calls):
        larger = plan_memory(graph, copied, plan.planner)
        if larger.arena_bytes <= limit:
            return tuple(copied), larger
        # Holes between tensors took the room: do without the copy that gains the least.
        worst = min((i for i in gains if copied[i] is not calls[i]), key=lambda i: gains[i])
        copied[worst] = calls[worst]
    return calls, plan


def _limit_bytes(plan: MemoryPlan, board: Board, optimize: str) -> int:
    """Return how large the arena may become: no larger, but for ``speed``, in its region of RAM."""
    if optimize != "speed":
        return plan.arena_bytes
    region = arena_region(board, plan.arena_bytes)
    most = max(int(plan.arena_bytes * GROWTH), plan.arena_bytes + GROWTH_BYTES)
    return max(plan.arena_bytes, min(most, region.usable_bytes - STACK_RESERVE_BYTES))


def _gain_cycles(parts: Sequence[KernelCall], board: Board) -> float:
    """Return the cycles that a copy of the first constant saves; 0 where none can be made."""
    if len(parts) != 1 or parts[0].passes <= 1:
        return 0.0
    region = board.region(board.placement.constants)
    cache = next((cache for cache in board.caches if cache.name == region.data), None)
    size_bytes = parts[0].constants[0].nbytes
    if cache is not None and size_bytes <= cache.lines * cache.line_bytes:
        return 0.0
    word_bytes = FLASH_WORD_BYTES
    if cache is not None:
        word_bytes = cache.line_bytes if cache.fills_line else cache.word_bytes
    by_byte = (region.wait_states + region.extra_cycles) / word_bytes
    return size_bytes * (by_byte * (parts[0].passes - 1) - COPY_CYCLES)
