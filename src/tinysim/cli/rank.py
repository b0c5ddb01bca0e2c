"""``tinysim boards rank``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from tinysim.cli.console import console, plain_table, progress
from tinysim.cli.files import check_writable, write_text
from tinysim.cli.options import ModelArgument, OptimizeOption, chosen, seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinysim.ranking import Ranking, Wish

NONE_WILL_DO = 1
_COLORS = {"passes": "green", "may fail": "yellow", "fails": "red", "unknown": "red"}


def rank(
    model: ModelArgument,
    board: Annotated[
        list[str] | None, typer.Option("--board", "-b", help="Only these boards, repeatable.")
    ] = None,
    latency: Annotated[
        str | None, typer.Option(help="How long an inference may take, like 50ms.")
    ] = None,
    period: Annotated[
        str | None, typer.Option(help="One inference in this time, asleep between, like 10s.")
    ] = None,
    battery: Annotated[
        str | None, typer.Option(help="What it lives on: 220mAh@3V, 0.66Wh or 2.4kJ.")
    ] = None,
    sleep: Annotated[
        str | None,
        typer.Option(help="Power asleep, instead of the boards' own: 5uW or 2uA@3V."),
    ] = None,
    sort: Annotated[str, typer.Option(help="latency, energy, ram, flash or battery.")] = "latency",
    yardsticks: Annotated[
        bool, typer.Option("--yardsticks", help="The generic_* boards, too.")
    ] = False,
    optimize: OptimizeOption = "speed",
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Processes; all cores by default.")
    ] = None,
    json: Annotated[
        str | None, typer.Option(help="Write the ranking as JSON to a file; - is stdout.")
    ] = None,
    markdown: Annotated[
        str | None, typer.Option(help="Write the ranking as Markdown to a file; - is stdout.")
    ] = None,
) -> None:
    """Run a model on all boards, and sort them by how well they do.

    Exit code 0: a board will do. 1: none will.
    """
    from tinysim.boards import board_names
    from tinysim.ranking import rank as rank_boards
    from tinysim.ranking import real_boards
    from tinysim.ranking.render import as_json
    from tinysim.ranking.render import markdown as as_markdown

    check_writable(json, markdown)
    wish = _wish(latency, period, battery, sleep, sort)
    optimize = chosen(optimize, "search", False, "tflm", False)["optimize"]
    names = tuple(board) if board else board_names() if yardsticks else real_boards()
    with progress(f"{len(names)} boards", quiet=False) as on_stage:
        on_stage("simulating")
        ranking = rank_boards(
            model, names, wish, jobs=jobs or os.cpu_count() or 1, optimize=optimize
        )
    for target, render in ((json, as_json), (markdown, as_markdown)):
        if target is not None:
            write_text(render(ranking), target)
    if "-" not in (json, markdown):
        _show(ranking)
    if ranking.best is None:
        raise typer.Exit(NONE_WILL_DO)


def _wish(
    latency: str | None, period: str | None, battery: str | None, sleep: str | None, sort: str
) -> Wish:
    """Return what the user wants, or refuse what makes no sense."""
    from tinysim.ranking import SORTS, Wish
    from tinysim.ranking.duty import Duty, joules, watts

    if sort not in SORTS:
        raise typer.BadParameter(f"--sort is {', '.join(SORTS)}, not {sort}")
    if period is None and (battery is not None or sleep is not None):
        raise typer.BadParameter("--battery and --sleep go with --period")
    if sort == "battery" and battery is None:
        raise typer.BadParameter("--sort battery goes with --battery and --period")
    duty = None
    if period is not None:
        battery_j = None if battery is None else _quantity(joules, battery, "--battery")
        sleep_w = None if sleep is None else _quantity(watts, sleep, "--sleep")
        duty = Duty(seconds(period), battery_j, sleep_w)
    return Wish(None if latency is None else seconds(latency), duty, sort)


def _quantity(read: Callable[[str], float], text: str, option: str) -> float:
    try:
        return read(text)
    except ValueError as error:
        raise typer.BadParameter(f"{option}: {error}") from error


def _show(ranking: Ranking) -> None:
    """Print the table, and who is the best."""
    from rich.text import Text

    from tinysim.ranking.render import headings, rows
    from tinysim.report._table import printable

    shown = headings(ranking)
    verdict = shown.index("verdict")
    table = plain_table(*shown)
    for row in rows(ranking):
        cells = [Text(printable(cell)) for cell in row]
        cells[verdict].stylize(_COLORS[row[verdict]])
        table.add_row(*cells)
    out = console()
    out.print(table)
    best = ranking.best
    what = "no board will do" if best is None else f"best by {ranking.wish.sort}: {best.board}"
    out.print()
    out.print(printable(what), markup=False)
