"""``tinysim accuracy``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinysim.cli.console import console, plain_table
from tinysim.cli.files import write_file


def accuracy(
    images: Annotated[
        Path | None,
        typer.Option(help="Simulate programs again whose images (by hash) are in this folder."),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Keep what was simulated in traces/ (a checkout).")
    ] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print docs/accuracy.md, made from traces/.")
    ] = False,
) -> None:
    """Compare simulated cycles with those measured on real boards."""
    from tinysim.traces import document, load_trace, measured_boards
    from tinysim.traces.rerun import images_in, rerun, updated

    if markdown:
        typer.echo(document.markdown(), nl=False)
        return
    known = {} if images is None else images_in(images)
    table = plain_table("board", "program", "toolchain", "measured", "simulated", "error", "now")
    for board in measured_boards():
        trace = load_trace(board)
        rows = []
        for before, after in zip(trace.measurements, rerun(board, known), strict=True):
            rows.append(after)
            table.add_row(
                *(board, after.workload, after.toolchain),
                *(f"{after.measured_cycles:,}", f"{after.simulated_cycles:,}"),
                f"{after.error:+.2%}",
                "" if after.image_sha256 not in known else f"{before.error:+.2%} before",
            )
        missing = [row.workload for row in rows if row.image_sha256 not in known]
        if write and missing:
            raise typer.BadParameter(f"{board}: no image of {', '.join(missing)}: nothing is kept")
        if write:
            import tinysim.traces as traces

            path = Path(traces.__file__).parent / f"{board}.toml"
            write_file(path, updated(path.read_text(encoding="utf-8"), trace, rows).encode())
    console().print(table)
