"""``tinysim baseline``: store what models cost, and see what has changed since."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinysim.cli.console import console, progress
from tinysim.cli.files import check_writable, read_array, write_folder, write_text
from tinysim.cli.options import (
    KeepConstantChannelsOption,
    OptimizeOption,
    PatchesOption,
    PlannerOption,
    RoundingOption,
    SparseOption,
    TuneOption,
    chosen,
)
from tinysim.errors import InternalError, MeasurementError

if TYPE_CHECKING:
    from tinysim.baseline import Comparison, Record
    from tinysim.simulator.profile import Profile

GREW = 1
STORED = ".json"

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Store what models cost, and see what has changed since.",
)

InputOption = Annotated[
    list[Path] | None,
    typer.Option(help="Input as .npy, one an input; seeded random numbers if not given."),
]
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Folder of baselines; by default what tinysim.toml says, or .tinysim/baseline.",
    ),
]


@app.command()
def save(
    model: Annotated[
        Path | None, typer.Argument(help="Model; without one all that tinysim.toml names.")
    ] = None,
    board: Annotated[
        list[str] | None, typer.Option("--board", "-b", help="Board, repeatable.")
    ] = None,
    output: FolderOption = None,
    input: InputOption = None,
    optimize: OptimizeOption = "speed",
    planner: PlannerOption = "search",
    keep_constant_channels: KeepConstantChannelsOption = False,
    rounding: RoundingOption = "tflm",
    patches: PatchesOption = False,
    sparse: SparseOption = "auto",
    tune: TuneOption = False,
) -> None:
    """Store profiles as MODEL@BOARD.json, to compare later ones with; commit the files.

    All of them are stored or none. The same model, board and tools give the same bytes.
    """
    from tinysim.baseline.place import baseline_folder
    from tinysim.baseline.store import content, file_name

    if model is None:
        if board:
            raise typer.BadParameter("--board goes with a model")
        jobs, folder = _jobs_of_project()
    elif not board:
        raise typer.BadParameter("give at least one --board")
    else:
        choices = chosen(optimize, planner, keep_constant_channels, rounding, patches, sparse)
        options = {**choices, "tune": tune}
        jobs = [(model, name, input or [], options) for name in dict.fromkeys(board)]
        folder = baseline_folder(Path())
    names = [file_name(path, name) for path, name, _, _ in jobs]
    if twins := sorted({name for name in names if names.count(name) > 1}):
        raise MeasurementError(
            f"models of the same name would share {', '.join(twins)}",
            where=str(output or folder),
            fix="rename one of them",
        )
    profiles = {file: _run(*job) for file, job in zip(names, jobs, strict=True)}
    folder = output or folder
    write_folder(folder, {file: content(profile) for file, profile in profiles.items()})
    for file, profile in profiles.items():
        typer.echo(f"{folder / file}: {profile.cycles:,} cycles, {profile.verdict}")


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="Baseline (.json) or model, run on --board.")],
    after: Annotated[
        Path | None,
        typer.Argument(help="The same; without it BEFORE is a model, compared with its baseline."),
    ] = None,
    board: Annotated[str | None, typer.Option("--board", "-b", help="Board for models.")] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Folder of baselines; by default what tinysim.toml says."),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(help="Largest growth of any total, like 2% or '100 cycles'; repeatable."),
    ] = None,
    allow_other_model: Annotated[
        bool, typer.Option("--allow-other-model", help="Compare even if the model is another one.")
    ] = False,
    allow_other_board: Annotated[
        bool, typer.Option("--allow-other-board", help="Compare even if the board is another one.")
    ] = False,
    json: Annotated[str | None, typer.Option(help="Write as JSON to a file; - is stdout.")] = None,
    markdown: Annotated[
        str | None, typer.Option(help="Write as Markdown to a file; - is stdout.")
    ] = None,
    html: Annotated[str | None, typer.Option(help="Write as one HTML file.")] = None,
    input: InputOption = None,
    optimize: OptimizeOption = "speed",
    planner: PlannerOption = "search",
    keep_constant_channels: KeepConstantChannelsOption = False,
    rounding: RoundingOption = "tflm",
    patches: PatchesOption = False,
    sparse: SparseOption = "auto",
    tune: TuneOption = False,
) -> None:
    """Show what has changed: totals, cycles by cause, layers, conditions.

    Exit code 0: within every --limit. 1: something grew more. 3: not comparable or not readable.
    """
    from tinysim.baseline.compare import compare as compare_records
    from tinysim.baseline.limits import exceeded, read_growth

    if [json, markdown, html].count("-") > 1:
        raise typer.BadParameter("only one report can go to stdout")
    try:
        limits = [read_growth(text) for text in limit or []]
    except ValueError as error:
        raise typer.BadParameter(f"--limit: {error}") from error
    check_writable(json, markdown, html)
    choices = chosen(optimize, planner, keep_constant_channels, rounding, patches, sparse)
    options = {**choices, "tune": tune}
    paths = (before, after) if after else (_stored(before, board, folder), before)
    comparison = compare_records(
        *(_record(path, board, input or [], options) for path in paths),
        allow_other_model=allow_other_model,
        allow_other_board=allow_other_board,
    )
    _write(comparison, json, markdown, html)
    broken = list(exceeded(comparison, limits))
    for line in broken:
        typer.echo(f"grew too much: {line}", err=True)
    if broken:
        raise typer.Exit(GREW)


def _write(
    comparison: Comparison, json: str | None, markdown: str | None, html: str | None
) -> None:
    """Write what was asked for, and show the table unless stdout is taken."""
    from tinysim.baseline import html as as_html
    from tinysim.baseline import json as as_json
    from tinysim.baseline import markdown as as_markdown
    from tinysim.baseline import table

    for target, module in ((json, as_json), (markdown, as_markdown), (html, as_html)):
        if target is not None:
            write_text(module.render(comparison), target)
    if "-" not in (json, markdown, html):
        console().print(table.report(comparison))


def _stored(model: Path, board: str | None, folder: Path | None) -> Path:
    """Return the baseline of a model on a board."""
    from tinysim.baseline.place import baseline_folder
    from tinysim.baseline.store import file_name
    from tinysim.boards import load_board

    if model.suffix == STORED:
        raise typer.BadParameter("give two baselines, or a model and --board")
    if board is None:
        raise typer.BadParameter("a model needs --board")
    return (folder or baseline_folder(Path())) / file_name(model, load_board(board).name)


def _record(path: Path, board: str | None, inputs: list[Path], options: Any) -> Record:
    """Read a baseline, or run a model."""
    from tinysim.baseline.store import read_record, record_of

    if path.suffix == STORED:
        return read_record(path)
    if board is None:
        raise typer.BadParameter("a model needs --board")
    return record_of(_run(path, board, inputs, options), str(path))


def _run(model: Path, board: str, inputs: list[Path], options: Any) -> Profile:
    """Run a model, whose output must be right."""
    import tinysim

    arrays = [read_array(path) for path in inputs] or None
    with progress(board, quiet=False) as on_stage:
        profile = tinysim.run(model, board, inputs=arrays, on_stage=on_stage, **options)
    if profile.output_check.status == "mismatch":
        raise InternalError(
            "the device's output differs from the host's",
            where=f"{model.name} on {board}",
            fix="do not trust this run; please report it with the model",
        )
    return profile


def _jobs_of_project() -> tuple[list[tuple[Path, str, list[Path], Any]], Path]:
    """Return models, boards, inputs and options of the project's settings, and the folder."""
    from tinysim.baseline.store import DEFAULT_FOLDER
    from tinysim.budget.settings import find_settings, read_settings

    settings = read_settings(find_settings(Path()))
    jobs = [
        (model.path, board, list(model.inputs), dict(model.choices))
        for model in settings.models
        for board in model.boards
    ]
    return jobs, settings.baseline or settings.file.parent / DEFAULT_FOLDER
