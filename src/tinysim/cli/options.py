"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tinysim.api import ChoiceArguments

ModelArgument = Annotated[Path, typer.Argument(help="Model file or folder.", show_default=False)]
OptimizeOption = Annotated[str, typer.Option(help="speed, balanced or size.")]
PlannerOption = Annotated[
    str, typer.Option(help="Memory planner: search, exact (slow, proved), greedy or first-fit.")
]
KeepConstantChannelsOption = Annotated[
    bool, typer.Option(help="Compute channels even if they are the same for every input.")
]
RoundingOption = Annotated[
    str, typer.Option(help="Of int8 FULLY_CONNECTED: tflm rounds twice, litert once.")
]
PatchesOption = Annotated[
    bool, typer.Option("--patches", help="Run the first layers in bands: less RAM, more cycles.")
]
SparseOption = Annotated[
    str, typer.Option(help="Leave out weights that are zero: auto, never, always.")
]
TuneOption = Annotated[
    bool,
    typer.Option("--tune", help="Try all kernels for each layer on the board: takes longer."),
]
NoCacheOption = Annotated[
    bool,
    typer.Option("--no-cache", help="Compile again, whatever was kept from earlier runs."),
]


def chosen(
    optimize: str,
    planner: str,
    keep_constant_channels: bool,
    rounding: str,
    patches: bool,
    sparse: str = "auto",
) -> ChoiceArguments:
    """Return what the user chose, or refuse what the compiler does not know."""
    from tinysim.compiler.memory import PLANNERS
    from tinysim.compiler.passes.rounding import ROUNDINGS
    from tinysim.compiler.toolchain import OPTIMIZE_FLAGS
    from tinysim.compiler.variants import SPARSE

    if optimize not in OPTIMIZE_FLAGS:
        raise typer.BadParameter(f"--optimize is {' or '.join(OPTIMIZE_FLAGS)}, not {optimize}")
    if planner not in PLANNERS:
        raise typer.BadParameter(f"--planner is {' or '.join(PLANNERS)}, not {planner}")
    if rounding not in ROUNDINGS:
        raise typer.BadParameter(f"--rounding is {' or '.join(ROUNDINGS)}, not {rounding}")
    if sparse not in SPARSE:
        raise typer.BadParameter(f"--sparse is {' or '.join(SPARSE)}, not {sparse}")
    return {
        "optimize": optimize,
        "planner": planner,
        "keeps_constant_channels": keep_constant_channels,
        "rounding": rounding,
        "patches": patches,
        "sparse": sparse,
    }


def tuned_choices(
    model: Path, board: str, choices: ChoiceArguments, tune: bool
) -> tuple[ChoiceArguments, list[str]]:
    """Return the choices with the fastest kernels, if they are wanted, and what to say of them."""
    if not tune:
        return choices, []
    from tinysim.boards import load_board
    from tinysim.cli.console import progress
    from tinysim.compiler import Choices
    from tinysim.report._table import tuning_lines
    from tinysim.tune import tuned

    with progress(board, quiet=False) as on_stage:
        found, tuning = tuned(model, load_board(board), Choices(**choices), on_stage=on_stage)
    return {**choices, "picks": found.picks}, tuning_lines(tuning)


def seconds(text: str) -> float:
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
