"""A board's memory system: caches, buffers and waits, and what firmware has made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tinysim.boards import Board, Cache, MemoryRegion

#: Reads bits that firmware sets, written ``BLOCK.REGISTER.bit``; None if nothing has them.
ReadBits = Callable[[str], int | None]


@dataclass(frozen=True)
class Area:
    """A range of addresses, the caches in front of it (by position), and the wait behind them.

    ``burst_cycles`` more is what a data access costs that does not follow another one to the area.
    """

    name: str
    base: int
    end: int
    is_ram: bool
    code: int | None
    data: int | None
    wait_cycles: int
    burst_cycles: int = 0

    @property
    def is_timed(self) -> bool:
        """Whether anything here may wait."""
        return self.code is not None or self.data is not None or self.burst_cycles > 0


@dataclass(frozen=True)
class Layout:
    """What the timing of memory depends on; of areas that overlap the first counts."""

    areas: tuple[Area, ...]
    caches: tuple[Cache, ...]

    @property
    def is_timed(self) -> bool:
        """Whether anything waits for memory."""
        return bool(self.caches) or self.is_ram_timed

    @property
    def fill_cycles(self) -> int:
        """How long filling every line of every cache would take."""
        waits = [
            max((a.wait_cycles for a in self.areas if index in (a.code, a.data)), default=0)
            for index in range(len(self.caches))
        ]
        return sum(wait * cache.lines for wait, cache in zip(waits, self.caches, strict=True))

    @property
    def is_ram_timed(self) -> bool:
        """Whether RAM makes data wait: stores and the stack matter then, too."""
        return any(
            area.is_ram and (area.data is not None or area.burst_cycles) for area in self.areas
        )


def layout(board: Board, read_bits: ReadBits, wait_states: int | None) -> Layout:
    """Return a board's memory system.

    Parameters
    ----------
    board
        Says what it is like as delivered.
    read_bits
        Reads what firmware has programmed; returns None while it has programmed nothing.
    wait_states
        That firmware has programmed for flash, if it has.
    """
    names = [cache.name for cache in board.caches]
    caches = tuple(_as_programmed(cache, read_bits) for cache in board.caches)

    def area(region: MemoryRegion) -> Area:
        waits = region.wait_states
        if region.kind == "flash" and wait_states is not None:
            waits = wait_states
        return Area(
            region.name,
            region.base,
            region.end,
            region.kind == "ram",
            None if region.code is None else names.index(region.code),
            None if region.data is None else names.index(region.data),
            max(0, waits + region.extra_cycles),
        )

    areas = {region.name: area(region) for region in board.regions}
    banks = []
    for bank in board.banks:
        end = bank.base + bank.size_bytes
        (around,) = (one for one in areas.values() if one.base <= bank.base and end <= one.end)
        banks.append(
            replace(around, name=bank.name, base=bank.base, end=end, burst_cycles=bank.burst_cycles)
        )
    return Layout((*banks, *areas.values()), caches)


def switch_blocks(board: Board) -> frozenset[str]:
    """Return the peripherals that switch the board's caches."""
    fields = (field for cache in board.caches for field in (cache.enabled_by, cache.prefetched_by))
    return frozenset(field.split(".")[0] for field in fields if field is not None)


def _as_programmed(cache: Cache, read_bits: ReadBits) -> Cache:
    """Return a cache as it is switched: one that is off still keeps the word that was read last."""
    enabled, prefetches = cache.is_enabled, cache.prefetches
    if cache.enabled_by is not None and (bit := read_bits(cache.enabled_by)) is not None:
        enabled = bool(bit)
    if cache.prefetched_by is not None and (bit := read_bits(cache.prefetched_by)) is not None:
        prefetches = bool(bit)
    if enabled:
        return replace(cache, prefetches=prefetches)
    return replace(
        cache, lines=1, ways=1, line_bytes=cache.word_bytes, fills_line=False, prefetches=prefetches
    )
