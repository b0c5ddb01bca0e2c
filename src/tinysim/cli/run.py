"""``tinysim run``: a model, or any firmware."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinysim.cli.console import StandardTerminal, console, plain_table, progress
from tinysim.cli.files import (
    check_writable,
    read_array,
    read_text,
    write_bundle,
    write_file,
    write_text,
)
from tinysim.cli.firmware import report_firmware
from tinysim.cli.options import (
    KeepConstantChannelsOption,
    ModelArgument,
    NoCacheOption,
    OptimizeOption,
    PatchesOption,
    PlannerOption,
    RoundingOption,
    SparseOption,
    TuneOption,
    chosen,
    seconds,
)
from tinysim.errors import InternalError

if TYPE_CHECKING:
    from tinysim.simulator.profile import Profile

DOES_NOT_FIT = 1
FIRMWARE_SUFFIXES = (".elf", ".axf", ".out", ".bin", ".hex", ".ihex", ".uf2")
UNKNOWN = ("warn", "zero", "fault")


def run(
    model: ModelArgument,
    board: Annotated[
        list[str],
        typer.Option(
            "--board", "-b", help="Board or board file, repeatable; `all` is every board."
        ),
    ],
    json: Annotated[
        str | None, typer.Option(help="Write the report as JSON to a file; - is stdout.")
    ] = None,
    layers: Annotated[
        int | None, typer.Option(min=0, help="Show only this many of the slowest layers.")
    ] = None,
    input: Annotated[
        list[Path] | None,
        typer.Option(help="Input as .npy, one an input; seeded random numbers if not given."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write all reports into a folder; see the docs."),
    ] = None,
    save_output: Annotated[
        Path | None, typer.Option(help="Write the model's first output as .npy.")
    ] = None,
    format: Annotated[
        str | None, typer.Option(help="Print this format: markdown, csv, html, ...; see the docs.")
    ] = None,
    optimize: OptimizeOption = "speed",
    planner: PlannerOption = "search",
    keep_constant_channels: KeepConstantChannelsOption = False,
    rounding: RoundingOption = "tflm",
    patches: PatchesOption = False,
    sparse: SparseOption = "auto",
    tune: TuneOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the verdict.")] = False,
    function: Annotated[
        str | None, typer.Option(help="Firmware: profile one execution of a function.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Firmware: begin at a place; see the docs.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Firmware: end at a place; see the docs.")
    ] = None,
    call: Annotated[
        str | None, typer.Option(help="Firmware: call this function once the script is through.")
    ] = None,
    uart_in: Annotated[
        Path | None, typer.Option(help="Firmware: script of what to say to it; - is the terminal.")
    ] = None,
    uart_out: Annotated[
        str | None, typer.Option(help="Firmware: write what it prints to a file; - is stdout.")
    ] = None,
    limit: Annotated[
        str, typer.Option(help="Firmware: simulated time after which to stop, like 30s or 500ms.")
    ] = "30s",
    repeat: Annotated[int, typer.Option(min=1, help="Firmware: measure this often.")] = 1,
    flame: Annotated[
        str | None, typer.Option(help="Firmware: write call stacks for flame graphs; - is stdout.")
    ] = None,
    avoid: Annotated[
        list[str] | None,
        typer.Option(help="Leave a bank of RAM out that costs cycles, repeatable."),
    ] = None,
    fidelity: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=3,
            help="1: core; 2: and fetches; 3: and data. Board's need by default; firmware: 3.",
        ),
    ] = None,
    unknown: Annotated[
        str, typer.Option(help="Firmware: peripherals not described warn, read zero, or fault.")
    ] = "warn",
    no_cache: NoCacheOption = False,
) -> None:
    """Run a model, or any firmware, on an emulated board and report what it costs.

    A model (.tflite) is compiled first; firmware (.elf .bin .hex .uf2) runs as it is.

    Exit code 0: fits. 1: does not fit. 3: the model, input or firmware cannot be used.
    4: no compiler.
    """
    import tinysim
    from tinysim.boards import board_names
    from tinysim.bundle import npy
    from tinysim.report import render_all

    names = list(board_names()) if "all" in board else list(dict.fromkeys(board))
    check_writable(json, save_output, flame, uart_out, folder=output)
    _check_format(format, json, is_several=len(names) > 1)
    if model.suffix.lower() in FIRMWARE_SUFFIXES:
        if len(names) != 1:
            raise typer.BadParameter("firmware is made for one board: give one --board")
        if any(option is not None for option in (output, save_output, format)):
            raise typer.BadParameter("firmware has --json, --flame and --uart-out, nothing else")
        if unknown not in UNKNOWN:
            raise typer.BadParameter(f"--unknown is {', '.join(UNKNOWN)}, not {unknown}")
        is_typed = uart_in == Path("-")
        profiles_of_firmware = tinysim.run_firmware(
            model,
            board[0],
            start=start,
            end=end,
            function=function,
            call=call,
            script=None if uart_in is None or is_typed else read_text(uart_in),
            terminal=StandardTerminal() if is_typed else None,
            limit_s=seconds(limit),
            repeat=repeat,
            unknown=unknown,
            fidelity=fidelity,
        )
        report_firmware(profiles_of_firmware, json, flame, uart_out, quiet)
        return

    choices = chosen(optimize, planner, keep_constant_channels, rounding, patches, sparse)
    if len(names) > 1 and save_output is not None:
        raise typer.BadParameter("--save-output goes with one board")
    inputs = [read_array(path) for path in input] if input else None
    profiles: list[Profile] = []
    for name in names:
        with progress(name, quiet) as on_stage:
            profile = tinysim.run(
                model,
                name,
                inputs=inputs,
                avoid=avoid or [],
                fidelity=fidelity,
                tune=tune,
                use_cache=not no_cache,
                on_stage=on_stage,
                **choices,
            )
        profiles.append(profile)
    if json is not None:
        write_text(render_all(profiles, "json"), json)
    if save_output is not None:
        write_file(save_output, npy(profiles[0].outputs[0]))
    if output is not None:
        _write_bundles(profiles, output)
    if format is not None:
        write_text(render_all(profiles, format), "-")
    elif json != "-":
        _show(profiles, layers, quiet)
    if wrong := [p.board for p in profiles if p.output_check.status == "mismatch"]:
        raise InternalError(
            "the device's output differs from the host's",
            where=f"{model.name} on {', '.join(wrong)}",
            fix="do not trust this run; please report it with the model",
        )
    if not all(profile.fits for profile in profiles):
        raise typer.Exit(DOES_NOT_FIT)


def _check_format(format: str | None, json: str | None, is_several: bool) -> None:
    """Refuse a format that is not there or cannot be printed."""
    from tinysim.report import FORMATS, holds_several

    if format is None:
        return
    if format not in FORMATS:
        raise typer.BadParameter(f"--format is {', '.join(FORMATS)}, not {format}")
    if json == "-":
        raise typer.BadParameter("--json - and --format both take stdout: give one of them")
    if is_several and not holds_several(format):
        raise typer.BadParameter(f"--format {format} holds one board; -o writes a folder for each")


def _show(profiles: list[Profile], layers: int | None, quiet: bool) -> None:
    """Print one report, or one line a board, best first."""
    from tinysim.report import _table

    out = console()
    if quiet:
        for profile in profiles:
            name = f"{profile.board}: " if len(profiles) > 1 else ""
            out.print(f"{name}{profile.verdict}", markup=False)
        return
    if len(profiles) == 1:
        out.print(_table.report(profiles[0], layers))
        return
    table = plain_table(
        *("board", "core", "clock", "cycles", "latency", "energy", "ram", "flash"),
        *("grade, error", "verdict"),
    )
    for profile in sorted(profiles, key=lambda p: (not p.fits, p.latency_s)):
        table.add_row(*_table.summary_line(profile))
    out.print(table)


def _write_bundles(profiles: list[Profile], folder: Path) -> None:
    """Write a bundle into the folder, or one a board into folders below it."""
    from tinysim.bundle import bundle, time_stamp

    created = time_stamp()
    for profile in profiles:
        place = folder if len(profiles) == 1 else folder / profile.board
        write_bundle(place, bundle(profile, created))
