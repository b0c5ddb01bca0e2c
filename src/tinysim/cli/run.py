"""``tinysim run``: a model, or any firmware."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinysim.cli.console import StandardTerminal, console, plain_table, progress
from tinysim.cli.files import check_writable, read_array, read_text, write_file, write_text
from tinysim.cli.firmware import report_firmware
from tinysim.cli.options import (
    KeepConstantChannelsOption,
    ModelArgument,
    NoCacheOption,
    OptimizeOption,
    PatchesOption,
    PlannerOption,
    RoundingOption,
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
        typer.Option("--board", "-b", help="Board, repeatable; `all` runs on every board."),
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
    output: Annotated[Path | None, typer.Option(help="Write the model's output as .npy.")] = None,
    optimize: OptimizeOption = "speed",
    planner: PlannerOption = "search",
    keep_constant_channels: KeepConstantChannelsOption = False,
    rounding: RoundingOption = "tflm",
    patches: PatchesOption = False,
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

    check_writable(json, output, flame, uart_out)
    if model.suffix.lower() in FIRMWARE_SUFFIXES:
        if len(board) != 1 or board == ["all"]:
            raise typer.BadParameter("firmware is made for one board: give one --board")
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

    choices = chosen(optimize, planner, keep_constant_channels, rounding, patches)
    names = list(board_names()) if "all" in board else list(dict.fromkeys(board))
    if len(names) > 1 and output is not None:
        raise typer.BadParameter("--output goes with one board")
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
        _write_json(profiles, json)
    if output is not None:
        _write_output(profiles[0], output)
    if json != "-":
        _show(profiles, layers, quiet)
    if wrong := [p.board for p in profiles if p.output_check.status == "mismatch"]:
        raise InternalError(
            "the device's output differs from the host's",
            where=f"{model.name} on {', '.join(wrong)}",
            fix="do not trust this run; please report it with the model",
        )
    if not all(profile.fits for profile in profiles):
        raise typer.Exit(DOES_NOT_FIT)


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


def _write_json(profiles: list[Profile], target: str) -> None:
    """Write one object, or a list of them for several boards."""
    import json

    from tinysim.report.json import as_data

    data: Any = [as_data(profile) for profile in profiles]
    text = json.dumps(data if len(data) > 1 else data[0], indent=2) + "\n"
    write_text(text, target)


def _write_output(profile: Profile, path: Path) -> None:
    """Write the model's first output."""
    import io

    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, profile.outputs[0])
    write_file(path, buffer.getvalue())
