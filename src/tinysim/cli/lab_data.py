"""``tinysim lab data``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinysim.cli.console import progress
from tinysim.cli.files import check_writable

data = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Samples to train and judge models with."
)


@data.callback()
def _data() -> None:
    """Let the group be there with one command."""


@data.command()
def get(
    name: Annotated[str, typer.Argument(help="mnist or fashion_mnist.", show_default=False)],
    to: Annotated[
        Path | None, typer.Option(help="Folder to write to; where recipes look, if not given.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder with its idx files, if it is here.")
    ] = None,
) -> None:
    """Bring a set of samples to this machine, as one .npz file."""
    from tinysim.lab.data import get as get_set

    check_writable(folder=to)
    with progress(name, quiet=False) as on_stage:
        path = get_set(name, to, source, lambda share, what: on_stage(f"{what}, {share:.0%}"))
    typer.echo(path)
