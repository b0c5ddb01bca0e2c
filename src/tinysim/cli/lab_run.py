"""``tinysim lab run``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinysim.cli.console import console
from tinysim.cli.lab_needs import require_tensorflow

if TYPE_CHECKING:
    from tinysim.lab.measure import Row
    from tinysim.lab.progress import Progress
    from tinysim.lab.recipe import Recipe

ModeOption = Annotated[
    str, typer.Option(help="full, or small: with what the recipe's [small] says.")
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        help="Repeats that are done at the same time; by default as many as there are cores for.",
        show_default=False,
    ),
]


def run(
    recipe: Annotated[Path, typer.Argument(help="Recipe, a .toml file.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for all that is made; by default NAME-MODE."),
    ] = None,
    mode: ModeOption = "full",
    jobs: JobsOption = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Samples instead of those that the recipe names: as its path.", show_default=False
        ),
    ] = None,
) -> None:
    """Follow a recipe: stage after stage, each measured on the boards, then a table of all.

    Run it again, and it goes on where it was interrupted or the recipe was changed.
    """
    from tinysim.lab.report.published import published_table
    from tinysim.lab.report.table import as_rich, board_table, model_table

    rows, place, wanted = follow(recipe, out, mode, jobs, data)
    shown = console()
    tables = [model_table(rows), board_table(rows)]
    if wanted.published:
        tables.append(published_table(rows, wanted.published))
    for table in tables:
        shown.print(as_rich(table))
        shown.print()
    typer.echo(f"confusion matrices, charts and all numbers: {place}")


def follow(
    recipe: Path, out: Path | None, mode: str, jobs: int | None, data: Path | None = None
) -> tuple[tuple[Row, ...], Path, Recipe]:
    """Follow a recipe, and return its rows, where all that was made is, and what was read."""
    from tinysim.lab.recipe import MODES

    if mode not in MODES:
        raise typer.BadParameter(f"--mode is {' or '.join(MODES)}, not {mode}")
    require_tensorflow()
    from tinysim.lab.quiet import import_tensorflow
    from tinysim.lab.recipe_file import read_recipe
    from tinysim.lab.run import run as run_recipe

    import_tensorflow()
    wanted = read_recipe(recipe, mode, data)
    place = out or Path(f"{wanted.name}-{mode}")
    jobs = jobs or max(1, (os.cpu_count() or 1) // wanted.threads)
    with _progress(wanted.name) as on_progress:
        return run_recipe(wanted, place, jobs=jobs, on_progress=on_progress), place, wanted


@contextmanager
def _progress(name: str) -> Iterator[Callable[[Progress], None]]:
    """Show how far it is and how long it will take, on a terminal's stderr only."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = [TextColumn(name, markup=False), BarColumn(), TaskProgressColumn()]
    words = TextColumn("{task.fields[said]}", markup=False)
    console = Console(stderr=True)
    with Bars(*columns, words, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(name, total=1.0, said="")

        def on_progress(progress: Progress) -> None:
            left = progress.left_s
            words = "" if left is None else f", {timedelta(seconds=round(left))} left"
            bars.update(task, completed=progress.share, said=f"{progress.what}{words}")

        yield on_progress
