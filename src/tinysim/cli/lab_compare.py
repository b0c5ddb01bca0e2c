"""``tinysim lab compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinysim.cli.console import console
from tinysim.cli.lab_run import JobsOption, ModeOption, follow

if TYPE_CHECKING:
    from tinysim.lab.measure import Row


def compare(
    recipes: Annotated[
        list[Path],
        typer.Argument(help="Recipes to run, or folders of finished ones.", show_default=False),
    ],
    board: Annotated[
        str, typer.Option("--board", "-b", help="Board whose inference time counts.")
    ] = "nano33ble",
    mode: ModeOption = "full",
    jobs: JobsOption = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="As tables of Markdown.")] = False,
) -> None:
    """Set methods side by side: inference time, accuracy, sparsity and size, against the beginning.

    These are tables 2 and 3 of Loureiro et al., theirs below ours.
    """
    from tinysim.lab.report.compare import compared, published
    from tinysim.lab.report.table import as_markdown, as_rich

    rows = {str(one): _rows(one, mode, jobs) for one in recipes}
    for ours, theirs in zip(compared(rows, board), published(), strict=True):
        for table in (ours, theirs):
            if markdown:
                typer.echo(f"{table.title}\n\n{as_markdown(table)}")
            else:
                console().print(as_rich(table), "")


def _rows(recipe: Path, mode: str, jobs: int | None) -> tuple[Row, ...]:
    """Return what a folder holds, or what following a recipe gives."""
    if recipe.is_dir():
        from tinysim.lab.report.table import read_rows

        return read_rows(recipe)
    rows, *_ = follow(recipe, None, mode, jobs)
    return rows
