"""What cannot be true of a board, although each of its rows is well formed."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from tinysim.boards.limits import shown

if TYPE_CHECKING:
    from tinysim.boards import Board, Cache


def contradictions(board: Board) -> list[str]:
    """Return what cannot be true of a board that is formally complete."""
    found = []
    ordered = sorted(board.regions, key=lambda region: region.base)
    for region in ordered:
        if not region.source.strip():
            found.append(f"region.{region.name}: empty source")
        if region.kind not in ("flash", "ram"):
            found.append(f"region.{region.name}: kind is {shown(region.kind)}, not flash or ram")
        if not 0 <= region.reserved_bytes < region.size_bytes:
            found.append(f"region.{region.name}: reserved_bytes out of range")
    for bank in board.banks:
        if not bank.source.strip():
            found.append(f"bank.{bank.name}: empty source")
        if not any(r.base <= bank.base and bank.base + bank.size_bytes <= r.end for r in ordered):
            found.append(f"bank.{bank.name} lies in no region")
    known = {cache.name for cache in board.caches}
    for region in ordered:
        for used in (region.code, region.data):
            if used is not None and used not in known:
                found.append(f"region.{region.name} names {shown(used)}, which is no cache")
    for cache in board.caches:
        found += _impossible(cache)
    for low, high in pairwise(ordered):
        if low.end > high.base:
            found.append(f"regions {low.name} and {high.name} overlap")
    place = board.placement
    kinds = {region.name: region.kind for region in board.regions}
    for used in (place.code, place.constants, place.data, place.stack, *place.arena):
        if used not in kinds:
            found.append(f"placement names {shown(used)}, which is no region")
    for used in (place.data, place.stack, *place.arena):
        if kinds.get(used) == "flash":
            found.append(f"placement: {used} cannot be written")
    if any(region.name == place.code and region.is_data_only for region in ordered):
        found.append(f"placement: no code runs in {shown(place.code)}")
    if not place.arena:
        found.append("placement: arena names no region")
    if board.clock.hz <= 0 or not board.clock.source.strip():
        found.append("clock: needs a positive hz and a source")
    if board.power and not 0 < board.power.low_w <= board.power.typical_w <= board.power.high_w:
        found.append("power: needs 0 < low_w <= typical_w <= high_w")
    if (sleep := board.sleep) is not None:
        if sleep.power_w <= 0 or not sleep.source.strip():
            found.append("sleep: needs a positive current_a and supply_v and a source")
        if sleep.covers not in ("chip", "board"):
            found.append(f"sleep: covers is {sleep.covers!r}, not chip or board")
    return found


def _impossible(cache: Cache) -> list[str]:
    """Return what a cache cannot be like."""
    where, found = f"cache.{cache.name}", []
    if not cache.source.strip():
        found.append(f"{where}: empty source")
    sizes = (cache.lines, cache.ways, cache.line_bytes, cache.word_bytes)
    if any(size < 1 or size & (size - 1) for size in sizes):
        found.append(f"{where}: lines, ways, line_bytes and word_bytes are powers of two")
    elif (
        cache.lines < cache.ways
        or not cache.word_bytes <= cache.line_bytes <= 32 * cache.word_bytes
    ):
        found.append(f"{where}: needs ways <= lines, and 1 to 32 words in a line")
    return found


def unknown_parts(board: Board) -> list[str]:
    """Return what a board names that its chip family does not have."""
    from tinysim.boards.families import family_names, load_family

    if board.family is not None and board.family not in family_names():
        return [f"family {shown(board.family)} is not one of {', '.join(family_names())}"]
    blocks = load_family(board.family).blocks if board.family is not None else {}
    found = []
    if board.console is not None and (
        board.console not in blocks or blocks[board.console].uart is None
    ):
        found.append(f"console {shown(board.console)} is no UART of the family")
    bits = (bit for cache in board.caches for bit in (cache.enabled_by, cache.prefetched_by) if bit)
    for bit in bits:
        block, register, position = bit.split(".")
        is_known = block in blocks and register in blocks[block].registers
        if not (is_known or (block, register) == ("SCB", "CCR")) or int(position) > 31:
            found.append(f"{shown(bit)} is no bit of the family's registers")
    return found
