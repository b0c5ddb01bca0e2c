"""``tinysim boards``: all of them, one of them, and which is the best for a model."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tinysim.cli.boards_import import import_board
from tinysim.cli.console import console, plain_table
from tinysim.cli.rank import rank


class _ShowsByName(TyperGroup):
    """A group of commands for which ``boards NAME`` is ``boards show NAME``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        is_command = args[0] in self.commands or args[0].startswith("-")
        return super().resolve_command(ctx, args if is_command else ["show", *args])


boards = typer.Typer(cls=_ShowsByName, add_completion=False, rich_markup_mode=None)
boards.command()(rank)
boards.command("import")(import_board)


@boards.callback(invoke_without_command=True)
def _list(context: typer.Context) -> None:
    """List the boards; `tinysim boards NAME` shows one with the source of every number."""
    if context.invoked_subcommand is not None:
        return
    from tinysim.boards import board_names, load_board

    table = plain_table("board", "mcu", "core", "clock", "flash", "ram", "title")
    for known in board_names():
        board = load_board(known)
        sizes = [
            f"{sum(r.usable_bytes for r in board.regions if r.kind == kind) // 1024:,} KiB"
            for kind in ("flash", "ram")
        ]
        clock = f"{board.clock.hz / 1e6:g} MHz"
        table.add_row(board.name, board.mcu, board.core, clock, *sizes, board.title)
    console().print(table)


@boards.command()
def show(name: Annotated[str, typer.Argument(help="Name of a board.")]) -> None:
    """Show one board with the source of every number."""
    from tinysim.boards import load_board

    _show_board(load_board(name))


def _show_board(board: Any) -> None:
    """Print a board and where its numbers come from."""
    out = console()
    out.print(f"{board.name}: {board.title} ({board.mcu}, {board.core})", markup=False)
    rows = [("clock", f"{board.clock.hz:,} Hz", board.clock.source)]
    for region in board.regions:
        what = f"{region.kind} at {region.base:#010x}, {region.size_bytes:,} B"
        if region.reserved_bytes:
            what += f" of which {region.reserved_bytes:,} B are reserved"
        if region.kind == "flash":
            what += f", {region.wait_states} wait states"
        rows.append((region.name, what, region.source))
    for cache in board.caches:
        size = f"{cache.lines} lines of {cache.line_bytes} B in {cache.ways} ways"
        rows.append((f"cache {cache.name}", size, cache.source))
    for bank in board.banks:
        what = f"{bank.base:#010x}, {bank.size_bytes:,} B: {bank.burst_cycles} cycle more a burst"
        rows.append((f"bank {bank.name}", what, bank.source))
    place = board.placement
    where = f"code {place.code}, data {place.data}, stack {place.stack}, arena "
    rows.append(("placement", where + " then ".join(place.arena), ""))
    from tinysim.simulator.cores import load_core
    from tinysim.traces.accuracy import timing_of

    timing = timing_of(board, load_core(board.core), fidelity=3)
    band = f"grade {timing.grade}: {timing.error_low:+.0%} to {timing.error_high:+.0%}"
    rows.append(("timing error", band, timing.source))
    if board.power is None:
        rows.append(("power", "unknown", ""))
    else:
        power = board.power
        watts = f"{power.low_w:g} to {power.high_w:g} W, typically {power.typical_w:g} W"
        rows.append(("power", f"{watts}; {power.mode}", power.source))
    if (sleep := board.sleep) is None:
        rows.append(("sleep", "unknown", ""))
    else:
        current = f"{sleep.current_a * 1e6:g} uA at {sleep.supply_v:g} V"
        rows.append(("sleep", f"{current}, the {sleep.covers}; {sleep.mode}", sleep.source))
    table = plain_table("what", "value", "source")
    for row in rows:
        table.add_row(*row)
    out.print(table)
