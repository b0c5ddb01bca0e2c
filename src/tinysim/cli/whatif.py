"""``tinysim whatif``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tinysim.cli.console import console, plain_table, progress
from tinysim.cli.files import check_writable, write_text
from tinysim.cli.options import ModelArgument, OptimizeOption, chosen

if TYPE_CHECKING:
    from tinysim.whatif import WhatIf


def whatif(
    model: ModelArgument,
    board: Annotated[str, typer.Option("--board", "-b", help="Board as it is today.")],
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only clock, memory, placement, compiler or core; repeatable."),
    ] = None,
    optimize: OptimizeOption = "speed",
    json: Annotated[
        str | None, typer.Option(help="Write the findings as JSON to a file; - is stdout.")
    ] = None,
    svg: Annotated[str | None, typer.Option(help="Write a tornado plot as SVG to a file.")] = None,
    html: Annotated[str | None, typer.Option(help="Write the plot as a page to a file.")] = None,
) -> None:
    """Say what matters most: vary one thing at a time, and compare with today."""
    from tinysim.compiler import Choices
    from tinysim.whatif import GROUPS, what_if
    from tinysim.whatif.render import as_json
    from tinysim.whatif.tornado import html as as_page
    from tinysim.whatif.tornado import svg as as_svg

    check_writable(json, svg, html)
    groups = only or list(GROUPS)
    if unknown := [one for one in groups if one not in GROUPS]:
        raise typer.BadParameter(f"--only is {', '.join(GROUPS)}, not {', '.join(unknown)}")
    choices = Choices(**chosen(optimize, "search", False, "tflm", False))
    with progress(board, quiet=False) as on_stage:
        found = what_if(model, board, choices, groups, on_stage)
    for target, render in ((json, as_json), (svg, as_svg), (html, as_page)):
        if target is not None:
            write_text(render(found), target)
    if "-" not in (json, svg, html):
        _show(found)


def _show(found: WhatIf) -> None:
    """Print the table, what matters most first, and what is to be known of it."""
    from rich.text import Text

    from tinysim.report._table import printable
    from tinysim.whatif.render import HEADINGS, remarks, rows

    table = plain_table(*HEADINGS)
    for column in (2, 4, 5, 6, 7, 8):
        table.columns[column].justify = "right"
    styles = {2: "green", 3: "red"}
    for row in rows(found):
        table.add_row(
            *(Text(printable(cell), style=styles.get(i, "")) for i, cell in enumerate(row))
        )
    out = console()
    out.print(f"{printable(found.model_name)} on {found.board_title}", style="bold", markup=False)
    out.print(table)
    for line in remarks(found):
        out.print(printable(line), style="dim", markup=False)
