"""``tinysim boards import``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinysim.cli.files import check_writable, write_text

if TYPE_CHECKING:
    from tinysim.boards.importing import Findings

NOT_COMPLETE = 2


def import_board(
    script: Annotated[
        Path | None, typer.Argument(help="Linker script with a MEMORY block.", show_default=False)
    ] = None,
    pdsc: Annotated[
        Path | None, typer.Option(help="Description of a CMSIS pack, with --device.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Device or variant in the pack.")] = None,
    pyocd: Annotated[
        str | None, typer.Option(help="One of pyOCD's own targets, if pyOCD is installed.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the board.")] = None,
    title: Annotated[str | None, typer.Option(help="What reports call it.")] = None,
    mcu: Annotated[str | None, typer.Option(help="Its chip.")] = None,
    core: Annotated[str | None, typer.Option(help="Its core, like cortex_m4f.")] = None,
    clock_hz: Annotated[int | None, typer.Option(min=1, help="Clock of the core.")] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", help="Write to a .toml file; - is stdout.")
    ] = "-",
) -> None:
    """Make a board file from a linker script, a CMSIS pack or a pyOCD target.

    Exit code 0: the file is complete. 2: something is missing that only you can tell.
    """
    from tinysim.boards.importing.draft import Told, draft
    from tinysim.simulator.cores import core_names

    if core is not None and core not in core_names():
        raise typer.BadParameter(f"--core is one of {', '.join(core_names())}, not {core}")
    if output != "-" and not output.endswith(".toml"):
        raise typer.BadParameter(f"--output ends in .toml, as --board wants it, not {output}")
    check_writable(output)
    made = draft(
        _findings(script, pdsc, device, pyocd), Told(name, title, mcu, core, clock_hz), core_names()
    )
    if not made.missing:
        made.board()
    write_text(made.text, output)
    for what in made.missing:
        typer.echo(f"missing: {what}", err=True)
    if made.missing:
        raise typer.Exit(NOT_COMPLETE)


def _findings(
    script: Path | None, pdsc: Path | None, device: str | None, pyocd: str | None
) -> Findings:
    """Read the one source that was given."""
    if sum(source is not None for source in (script, pdsc, pyocd)) != 1:
        raise typer.BadParameter("give one of: a linker script, --pdsc, --pyocd")
    if (pdsc is None) != (device is None):
        raise typer.BadParameter("--pdsc and --device go together")
    if script is not None:
        from tinysim.boards.importing.linker_script import read_linker_script

        return read_linker_script(script)
    if pdsc is not None and device is not None:
        from tinysim.boards.importing.pdsc import read_pdsc

        return read_pdsc(pdsc, device)
    from tinysim.boards.importing.pyocd_target import read_pyocd_target

    return read_pyocd_target(str(pyocd))
