"""The command line: arguments in, API calls, one report out. Alone in printing and exiting."""

from __future__ import annotations

import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinysim import __version__
from tinysim.errors import InternalError, ModelError, OutputError, TinysimError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from tinysim.simulator.profile import Profile

DOES_NOT_FIT = 1
BUG = 70
FIRMWARE_SUFFIXES = (".elf", ".axf", ".bin", ".hex", ".uf2")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help=(
        "Will this neural network fit this microcontroller, how long will it take, what will it "
        "cost, and why: compiles it, runs the machine code on an emulated board, and reports."
    ),
)

ModelArgument = Annotated[Path, typer.Argument(help="Model file (.tflite).", show_default=False)]
OptimizeOption = Annotated[str, typer.Option(help="speed or size.")]


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(f"tinysim {__version__}")
        raise typer.Exit


@app.command()
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
        Path | None, typer.Option(help="Input as .npy; seeded random numbers if not given.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write the model's output as .npy.")] = None,
    optimize: OptimizeOption = "speed",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the verdict.")] = False,
    function: Annotated[
        str | None, typer.Option(help="Firmware: profile one execution of a function.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Firmware: begin at a symbol or address.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Firmware: end at a symbol or address.")
    ] = None,
    call: Annotated[
        str | None, typer.Option(help="Firmware: call this function once the script is through.")
    ] = None,
    uart_in: Annotated[
        Path | None, typer.Option(help="Firmware: script of what to say to it; see the docs.")
    ] = None,
    uart_out: Annotated[
        str | None, typer.Option(help="Firmware: write what it prints to a file; - is stdout.")
    ] = None,
    limit: Annotated[
        str, typer.Option(help="Firmware: simulated time after which to stop, like 30s or 500ms.")
    ] = "30s",
    repeat: Annotated[int, typer.Option(min=1, help="Firmware: measure this often.")] = 1,
) -> None:
    """Run a model, or any firmware, on an emulated board and report what it costs.

    A model (.tflite) is compiled first; firmware (.elf .bin .hex .uf2) runs as it is.

    Exit code 0: fits. 1: does not fit. 3: the model, input or firmware cannot be used.
    4: no compiler.
    """
    from tinysim.boards import board_names

    if model.suffix.lower() in FIRMWARE_SUFFIXES:
        if len(board) != 1 or board == ["all"]:
            raise typer.BadParameter("firmware is made for one board: give one --board")
        window = {"start": start, "end": end, "function": function, "call": call}
        talk = None if uart_in is None else _read_text(uart_in)
        _run_firmware(model, board[0], window, talk, uart_out, limit, repeat, json)
        return

    _check_optimize(optimize)
    names = list(board_names()) if "all" in board else list(dict.fromkeys(board))
    if len(names) > 1 and output is not None:
        raise typer.BadParameter("--output goes with one board")
    profiles = [_run_one(model, name, input, optimize, quiet) for name in names]
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


@app.command()
def compile(
    model: ModelArgument,
    board: Annotated[str, typer.Option("--board", "-b", help="Board to compile for.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")],
    optimize: OptimizeOption = "speed",
) -> None:
    """Write the C sources, static library, ELF and map of a model for a board.

    main.c is the smallest application; replace it and build with the given linker script.
    """
    import tinysim

    _check_optimize(optimize)
    compilation = tinysim.compile(model, board, optimize=optimize)
    _write_folder(output, dict(compilation.files))
    firmware = compilation.firmware
    typer.echo(
        f"{output}: {len(compilation.files)} files; tensor arena {firmware.arena_bytes:,} B, "
        f"inputs at {', '.join(str(i.offset_bytes) for i in firmware.inputs)}, "
        f"outputs at {', '.join(str(i.offset_bytes) for i in firmware.outputs)}"
    )


@app.command()
def boards(
    name: Annotated[str | None, typer.Argument(help="Show everything about one board.")] = None,
) -> None:
    """List the boards, or show one with the source of every number."""
    from tinysim.boards import board_names, load_board

    if name is not None:
        _show_board(load_board(name))
        return
    table = _plain_table("board", "mcu", "core", "clock", "flash", "ram", "title")
    for known in board_names():
        board = load_board(known)
        sizes = [
            f"{sum(r.usable_bytes for r in board.regions if r.kind == kind) // 1024:,} KiB"
            for kind in ("flash", "ram")
        ]
        clock = f"{board.clock.hz / 1e6:g} MHz"
        table.add_row(board.name, board.mcu, board.core, clock, *sizes, board.title)
    _console().print(table)


@app.command()
def ops() -> None:
    """List the operators that are computed, by type, with their kernels."""
    from tinysim.compiler.ops import operator_class, operator_names

    table = _plain_table("operator", "type", "kernels")
    for name in operator_names():
        cls = operator_class(name)
        assert cls is not None
        for dtype, kernels in cls.kernels.items():
            table.add_row(name, dtype.value, ", ".join(kernels))
    _console().print(table)


@app.command()
def doctor() -> None:
    """Check the tools that are needed, and say how to get what is missing."""
    from importlib.metadata import PackageNotFoundError, version

    from tinysim.compiler.toolchain import compiler_version
    from tinysim.simulator.native_tracer import native_library

    table = _plain_table("tool", "state")
    healthy = True
    try:
        table.add_row("cross compiler", compiler_version())
    except TinysimError as error:
        healthy = False
        table.add_row("cross compiler", f"MISSING: {error.fix}")
    slow = "not built: runs are slower. Install a C compiler (apt-get install gcc libc6-dev) "
    slow += "and run: pip install --force-reinstall --no-deps tinysim"
    table.add_row("native tracer", "built" if native_library() else slow)
    table.add_row("python", sys.version.split()[0])
    for package in ("tinysim", "unicorn", "capstone", "pyelftools", "numpy", "tflite", "jinja2"):
        try:
            table.add_row(package, version(package))
        except PackageNotFoundError:
            healthy = False
            table.add_row(package, f"MISSING: run: pip install {package}")
    _console().print(table)
    if not healthy:
        raise typer.Exit(4)


def main() -> None:
    """Run the command line; what the user can mend is one line, anything else a traceback."""
    try:
        app()
    except TinysimError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from error
    except Exception as error:  # a bug: the traceback is what we need to mend it
        if isinstance(error, BrokenPipeError):  # the reader of our output has gone, as `head` does
            sys.stderr.close()
            raise SystemExit(0) from error
        traceback.print_exc()
        typer.echo("this is a bug of tinysim: please report it with the traceback", err=True)
        raise SystemExit(BUG) from error


def _run_firmware(
    path: Path,
    board: str,
    window: dict[str, str | None],
    script: str | None,
    uart_out: str | None,
    limit: str,
    repeat: int,
    json: str | None,
) -> None:
    """Profile firmware and print what was found."""
    import tinysim
    from tinysim.report._firmware import firmware_report
    from tinysim.report.json import firmware_as_data

    profiles = tinysim.run_firmware(
        path, board, script=script, limit_s=_seconds(limit), repeat=repeat, **window
    )
    if json is not None:
        import json as json_module

        data: Any = [firmware_as_data(profile) for profile in profiles]
        text = json_module.dumps(data if len(data) > 1 else data[0], indent=2) + "\n"
        _write_text(text, json)
    if uart_out is not None:
        _write_text(profiles[-1].console.decode("latin-1"), uart_out)
    if "-" not in (json, uart_out):
        for profile in profiles:
            _console().print(firmware_report(profile))


def _seconds(text: str) -> float:
    """Read a time with its unit."""
    for unit, factor in (("ms", 1e-3), ("us", 1e-6), ("s", 1.0), ("", 1.0)):
        if text.endswith(unit):
            try:
                seconds = float(text.removesuffix(unit)) * factor
            except ValueError:
                break
            if seconds > 0:
                return seconds
            break
    raise typer.BadParameter(f"{text!r} is not a time like 30s, 500ms or 20us")


def _read_text(path: Path) -> str:
    """Read a text file."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"cannot be read ({error})", where=str(path), fix="give a text file"
        ) from error


def _write_text(text: str, target: str) -> None:
    """Write to a file, or to stdout if it is ``-``."""
    if target == "-":
        typer.echo(text, nl=False)
    else:
        _write_file(Path(target), text.encode())


def _run_one(model: Path, board: str, input: Path | None, optimize: str, quiet: bool) -> Profile:
    """Run on one board, with progress on a terminal."""
    import tinysim

    inputs = None if input is None else [_read_array(input)]
    with _progress(board, quiet) as on_stage:
        return tinysim.run(model, board, inputs=inputs, optimize=optimize, on_stage=on_stage)


@contextmanager
def _progress(board: str, quiet: bool) -> Iterator[Any]:
    """Show what is being done, on a terminal's stderr only."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda stage: None
        return
    with console.status(f"{board}: reading") as status:
        yield lambda stage: status.update(f"{board}: {stage}")


def _console() -> Console:
    """Return the console of stdout: colour on a terminal, wide and plain when piped."""
    from rich.console import Console

    console = Console(soft_wrap=False, highlight=False)
    return console if console.is_terminal else Console(width=160, highlight=False)


def _plain_table(*headings: str) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading)
    return table


def _show(profiles: list[Profile], layers: int | None, quiet: bool) -> None:
    """Print one report, or one line a board, best first."""
    from tinysim.report import _table

    console = _console()
    if quiet:
        for profile in profiles:
            name = f"{profile.board}: " if len(profiles) > 1 else ""
            console.print(f"{name}{profile.verdict}", markup=False)
        return
    if len(profiles) == 1:
        console.print(_table.report(profiles[0], layers))
        return
    table = _plain_table(
        *("board", "core", "clock", "cycles", "latency", "energy", "ram", "flash"),
        *("grade, error", "verdict"),
    )
    for profile in sorted(profiles, key=lambda p: (not p.fits, p.latency_s)):
        table.add_row(*_table.summary_line(profile))
    console.print(table)


def _show_board(board: Any) -> None:
    """Print a board and where its numbers come from."""
    console = _console()
    console.print(f"{board.name}: {board.title} ({board.mcu}, {board.core})", markup=False)
    rows = [("clock", f"{board.clock.hz:,} Hz", board.clock.source)]
    for region in board.regions:
        what = f"{region.kind} at {region.base:#010x}, {region.size_bytes:,} B"
        if region.reserved_bytes:
            what += f" of which {region.reserved_bytes:,} B are reserved"
        if region.kind == "flash":
            what += f", {region.wait_states} wait states"
        rows.append((region.name, what, region.source))
    place = board.placement
    where = f"code {place.code}, data {place.data}, stack {place.stack}, arena "
    rows.append(("placement", where + " then ".join(place.arena), ""))
    accuracy = board.memory_accuracy
    band = f"{accuracy.error_low:+.0%} to {accuracy.error_high:+.0%} on top of the core's"
    rows.append(("timing error", band, accuracy.source))
    if board.power is None:
        rows.append(("power", "unknown", ""))
    else:
        power = board.power
        watts = f"{power.low_w:g} to {power.high_w:g} W, typically {power.typical_w:g} W"
        rows.append(("power", f"{watts}; {power.mode}", power.source))
    table = _plain_table("what", "value", "source")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _check_optimize(optimize: str) -> None:
    from tinysim.compiler.toolchain import OPTIMIZE_FLAGS

    if optimize not in OPTIMIZE_FLAGS:
        raise typer.BadParameter(f"--optimize is {' or '.join(OPTIMIZE_FLAGS)}, not {optimize}")


def _read_array(path: Path) -> Any:
    """Read a .npy file; pickles in it are refused."""
    import numpy as np

    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(
            f"not a readable array ({error})",
            where=str(path),
            fix="write it with numpy.save(path, array)",
        ) from error
    if not isinstance(array, np.ndarray):
        raise ModelError("an archive, not one array", where=str(path), fix="give a .npy file")
    return array


def _write_json(profiles: list[Profile], target: str) -> None:
    """Write one object, or a list of them for several boards."""
    import json

    from tinysim.report.json import as_data

    data: Any = [as_data(profile) for profile in profiles]
    text = json.dumps(data if len(data) > 1 else data[0], indent=2) + "\n"
    _write_text(text, target)


def _write_output(profile: Profile, path: Path) -> None:
    """Write the model's first output."""
    import io

    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, profile.outputs[0])
    _write_file(path, buffer.getvalue())


def _write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    import os
    import tempfile

    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            part.chmod(0o644)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            error.strerror or str(error), where=str(path), fix="give a place that can be written"
        ) from error


def _write_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Write files into a folder; none of them is ever half-written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            error.strerror or str(error), where=str(folder), fix="give a place that can be written"
        ) from error
    for name, content in files.items():
        _write_file(folder / name, content)
