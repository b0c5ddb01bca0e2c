"""``tinysim verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NOT_A_BUNDLE = 3


def verify(
    bundles: Annotated[list[Path], typer.Argument(help="Folders that `run -o` has written.")],
) -> None:
    """Check that bundles are whole: every file is there as its manifest says.

    Exit code 0: they are. 3: one is not.
    """
    from tinysim.bundle import defects

    broken = [f"{folder}: {defect}" for folder in bundles for defect in defects(folder)]
    for line in broken:
        typer.echo(line, err=True)
    if broken:
        raise typer.Exit(NOT_A_BUNDLE)
    typer.echo(f"whole: {', '.join(map(str, bundles))}")
