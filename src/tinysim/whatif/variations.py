"""What could be otherwise: boards and choices that differ from today's in one thing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tinysim.boards import Board, Cache, Clock, MemoryRegion, without_banks
from tinysim.compiler import Choices
from tinysim.compiler.toolchain import OPTIMIZE_FLAGS
from tinysim.errors import BoardError

#: Cores to put in a board's core's place: one of each kind.
CORES = ("cortex_m0plus", "cortex_m3", "cortex_m4f", "cortex_m33", "cortex_m7_sp")
#: How many wait states more are tried.
MORE_WAITS = 2
_ASSUMED = "what if"


@dataclass(frozen=True)
class Variation:
    """One thing that is otherwise.

    ``is_same_code``: today's firmware runs, only time passes differently. ``is_same_power``: the
    power that was measured may be taken for it.
    """

    group: str
    what: str
    board: Board
    choices: Choices
    is_same_code: bool = False
    is_same_power: bool = True


def clocks(board: Board, choices: Choices) -> Iterator[Variation]:
    """Half and twice the clock, with a flash that is as fast in nanoseconds as now."""
    if any(one.wait_states == 0 for one in waiting_regions(board)):
        return
    for factor in (0.5, 2.0):
        hz = int(board.clock.hz * factor)
        regions = tuple(_clocked(region, factor) for region in board.regions)
        varied = replace(board, clock=Clock(hz, _ASSUMED), regions=regions)
        waits = [f"{one.name} {one.wait_states} wait states" for one in waiting_regions(varied)]
        what = ", ".join([f"{hz / 1e6:g} MHz", *waits])
        yield Variation("clock", what, varied, choices, True, False)


def _clocked(region: MemoryRegion, factor: float) -> MemoryRegion:
    """Return flash with the wait states that it needs at another clock."""
    if region.kind != "flash" or region.wait_states == 0:
        return region
    return replace(region, wait_states=max(0, math.ceil((region.wait_states + 1) * factor) - 1))


def wait_states(board: Board, choices: Choices) -> Iterator[Variation]:
    """Flash that does not wait, and flash that waits longer."""
    waiting = waiting_regions(board)
    if not waiting:
        return

    def varied(what: str, *changed: MemoryRegion) -> Variation:
        others = {one.name: one for one in changed}
        regions = tuple(others.get(one.name, one) for one in board.regions)
        return Variation("memory", what, replace(board, regions=regions), choices, True)

    fast = (replace(one, wait_states=0, extra_cycles=0) for one in waiting)
    yield varied("flash without wait states", *fast)
    slow = (replace(one, wait_states=one.wait_states + MORE_WAITS) for one in waiting)
    yield varied(f"flash waits {MORE_WAITS} cycles longer", *slow)


def waiting_regions(board: Board) -> tuple[MemoryRegion, ...]:
    """Return the flash that makes the core wait: behind a cache or buffer, that is."""
    return tuple(
        one
        for one in board.regions
        if one.kind == "flash" and (one.code or one.data) and one.wait_states + one.extra_cycles > 0
    )


def caches(board: Board, choices: Choices) -> Iterator[Variation]:
    """Switch caches off, halve and double them, read nothing ahead."""
    if not board.caches:
        return

    def varied(what: str, *changed: Cache) -> Variation:
        return Variation("memory", what, replace(board, caches=changed), choices, True)

    every = board.caches
    yield varied("caches off", *(replace(one, is_enabled=False, enabled_by=None) for one in every))
    yield varied("caches half as large", *(_resized(one, 0.5) for one in every))
    yield varied("caches twice as large", *(_resized(one, 2) for one in every))
    if any(one.prefetches for one in every):
        quiet = (replace(one, prefetches=False, prefetched_by=None) for one in every)
        yield varied("nothing read ahead", *quiet)


def _resized(cache: Cache, factor: float) -> Cache:
    """Return a cache of another size and as many ways, or of fewer if it has no more lines."""
    lines = max(1, int(cache.lines * factor))
    ways = int(cache.ways * factor) if cache.ways == cache.lines else cache.ways
    return replace(cache, lines=lines, ways=max(1, min(ways, lines)))


def placements(board: Board, choices: Choices) -> Iterator[Variation]:
    """Weights, code, arena and stack in each other region of RAM; banks that cost left out."""
    place = board.placement
    rams = [region.name for region in board.regions if region.kind == "ram"]
    runnable = [name for name in rams if not board.region(name).is_data_only]
    kept = place.constants

    def moved(what: str, region: str, **changed: object) -> Variation:
        varied = replace(board, placement=replace(place, **changed))  # type: ignore[arg-type]
        return Variation("placement", f"{what} in {region}", varied, choices)

    for name in rams:
        if name != kept:
            yield moved("weights", name, weights=name)
    for name in runnable:
        if name != place.code:
            yield moved("code", name, code=name, weights=kept)
            yield moved("code and weights", name, code=name, weights=name)
    for name in rams:
        if (name,) != place.arena:
            yield moved("arena", name, arena=(name,))
        if name != place.stack:
            yield moved("stack", name, stack=name)
    for bank in board.banks:
        try:
            yield Variation(
                "placement", f"without {bank.name}", without_banks(board, [bank.name]), choices
            )
        except BoardError:
            continue


def compilations(board: Board, choices: Choices, portable: Choices) -> Iterator[Variation]:
    """Other flags, kernels and passes."""
    for optimize in OPTIMIZE_FLAGS:
        if optimize != choices.optimize:
            other = replace(choices, optimize=optimize)
            yield Variation("compiler", f"--optimize {optimize}", board, other)
    yield Variation("compiler", "portable kernels", board, portable)
    kept = replace(choices, keeps_constant_channels=not choices.keeps_constant_channels)
    verb = "keep" if kept.keeps_constant_channels else "remove"
    yield Variation("compiler", f"{verb} constant channels", board, kept)
    patched = replace(choices, patches=not choices.patches)
    yield Variation("compiler", "patches" if patched.patches else "no patches", board, patched)


def cores(board: Board, choices: Choices) -> Iterator[Variation]:
    """Another kind of core on the same board, with code made for it."""
    for core in CORES:
        if _kind(core) != _kind(board.core):
            varied = replace(board, core=core)
            yield Variation("core", core, varied, choices, is_same_power=False)


def _kind(core: str) -> str:
    found = re.match(r"cortex_m\d+(plus)?", core)
    return core if found is None else found[0]
