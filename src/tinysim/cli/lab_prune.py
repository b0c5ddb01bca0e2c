"""``tinysim lab prune``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from tinysim.cli.console import console, plain_table, progress
from tinysim.cli.files import check_writable, write_file
from tinysim.cli.lab_needs import require_tensorflow

if TYPE_CHECKING:
    from tinysim.lab.data import Dataset
    from tinysim.lab.prune.target import Target
    from tinysim.simulator.profile import Profile

MISSED = 1
#: Samples that activations are quantized by.
_CALIBRATION = 200


def prune(
    model: Annotated[Path, typer.Argument(help="Trained model, .keras.", show_default=False)],
    data: Annotated[
        str,
        typer.Option(help="Samples: .npz, folder or archive, or a name as mnist."),
    ],
    target: Annotated[
        str | None,
        typer.Option(help="What to aim at: latency<50ms@nano33ble, macs<25%, ..."),
    ] = None,
    remaining: Annotated[
        float | None, typer.Option(help="Share of the parameters that is left, instead.")
    ] = None,
    structure: Annotated[
        str, typer.Option(help="elements, filters, channels, columns or rows.")
    ] = "filters",
    heuristic: Annotated[
        str | None,
        typer.Option(
            help="What goes first: by l1, l2, gradient, activation or random; "
            "elements by magnitude, gradient or random."
        ),
    ] = None,
    schedule: Annotated[str, typer.Option(help="agp, in steps; or one_shot.")] = "agp",
    steps: Annotated[int, typer.Option(help="Steps, with training between.")] = 4,
    scope: Annotated[
        str, typer.Option(help="What competes: all of a global model, or of a layer.")
    ] = "global",
    epochs: Annotated[int, typer.Option(help="Of training, after each step.")] = 1,
    final_epochs: Annotated[int, typer.Option(help="Of training, after the last step.")] = 3,
    learning_rate: Annotated[float, typer.Option(help="Of training.")] = 1e-3,
    multiple_of: Annotated[
        int, typer.Option(help="Layers keep multiples of so many units, where that will do.")
    ] = 4,
    seed: Annotated[int, typer.Option(help="The same gives the same model.")] = 0,
    board: Annotated[
        str | None,
        typer.Option("--board", "-b", help="What to measure on, if the target has no board."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File to write; by default NAME-pruned.keras."),
    ] = None,
) -> None:
    """Take out of a model what matters least, until it costs no more than a target.

    Writes the model, the same as .tflite (int8), and masks as .npz if elements are pruned.

    Exit code 0: the target is met. 1: it cannot be reached, or was missed.
    """
    require_tensorflow()
    from tinysim.lab import data as samples
    from tinysim.lab.model_files import load_model, save_masks, save_model
    from tinysim.lab.prune import Settings
    from tinysim.lab.prune import prune as pruned_of

    place = out or model.with_name(f"{model.stem}-pruned.keras")
    if place.suffix != ".keras":
        raise typer.BadParameter(f"--out is a .keras file, not {place.name}")
    check_writable(place)
    chosen: dict[str, Any] = {
        "structure": structure,
        "heuristic": heuristic,
        "remaining": remaining,
        "target": target,
        "schedule": schedule,
        "steps": steps,
        "scope": scope,
        "epochs": epochs,
        "final_epochs": final_epochs,
        "learning_rate": learning_rate,
        "multiple_of": multiple_of,
    }
    try:
        settings = Settings(**chosen)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    aim = settings.aim
    whole, dataset = load_model(model), samples.load(data)
    with progress(model.name, quiet=False) as on_stage:
        found = pruned_of(
            whole,
            dataset,
            settings,
            seed=seed,
            on_progress=lambda share, what: on_stage(f"{share:.0%}, {what}"),
        )
        on_stage("measuring")
        before, after = (
            _measured(one, dataset, aim.board or board, seed) for one in (whole, found.model)
        )
    save_model(found.model, place)
    write_file(place.with_suffix(".tflite"), after.tflite)
    if structure == "elements":
        save_masks(found.masks, place.with_suffix(".npz"))
    _show(f"{model.name}, {aim}", before, after, found.last.remaining)
    typer.echo(f"models simulated to get there: {found.simulations}; written: {place}")
    if _is_missed(aim, after.profile):
        typer.echo("error: trained, the model misses the target", err=True)
        raise typer.Exit(MISSED)


class _Side(NamedTuple):
    """A model before or after: the file, and what is known of it."""

    tflite: bytes
    parameters: int
    macs: int
    right: int
    samples: int
    profile: Profile | None


def _measured(model: Any, dataset: Dataset, board: str | None, seed: int) -> _Side:
    """Convert a model, count its mistakes, and run it once."""
    import tempfile

    from tinysim.api import run
    from tinysim.lab.data import scaled
    from tinysim.lab.evaluate import evaluate
    from tinysim.lab.prune.counted import count_macs
    from tinysim.lab.quantize.convert import calibration_samples, convert

    content = convert(model, "int8", calibration_samples(dataset.x_train, _CALIBRATION, seed))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        right = int((evaluate(path, dataset) == dataset.y_test).sum())
        sample = scaled(dataset.x_test[:1])
        profile = None if board is None else run(path, board, inputs=[sample])
    macs, count = count_macs(model), len(dataset.y_test)
    return _Side(content, model.count_params(), macs, right, count, profile)


def _is_missed(aim: Target, profile: Profile | None) -> bool:
    """Whether the model that came out costs more than the target on its board."""
    from tinysim.budget.measure import measure

    measured = measure(profile, aim.metric) if profile and aim.board else None
    return measured is not None and measured.value > aim.value


def _show(title: str, before: _Side, after: _Side, remaining: int) -> None:
    """Print both sides, and what is left of each cost."""
    from tinysim.budget.measure import measure, wilson
    from tinysim.budget.units import write, write_band

    table = plain_table("", "before", "after", "left")
    for column in (1, 2, 3):
        table.columns[column].justify = "right"

    def add(name: str, old: float, new: float, unit: str) -> None:
        said = [f"{one:,}" if not unit else write(one, unit) for one in (old, new)]
        table.add_row(name, *said, f"{new / old:.1%}" if old else "")

    add("parameters", before.parameters, after.parameters, "")
    if remaining != after.parameters:
        add("that are not masked", before.parameters, remaining, "")
    add("MACs", before.macs, after.macs, "")
    add(".tflite", len(before.tflite), len(after.tflite), "B")
    if before.profile and after.profile:
        for metric, unit in (
            *(("cycles", "cycles"), ("latency", "s"), ("energy", "J")),
            *(("ram", "B"), ("flash", "B")),
        ):
            old, new = measure(before.profile, metric), measure(after.profile, metric)
            if old and new:
                add(metric, old.value, new.value, unit)
        table.add_row("fits", before.profile.verdict, after.profile.verdict, "")
    said = []
    for side in (before, after):
        share = wilson(side.right / side.samples, side.samples)
        said.append(write_band(share.value, share.low, share.high, "share"))
    table.add_row("int8 accuracy", *said, "")
    shown = console()
    shown.print(title, style="bold")
    shown.print(table)
    shown.print(f"accuracy of {after.samples:,} test samples, with its 95 % interval", style="dim")
