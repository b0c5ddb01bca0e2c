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


def chosen(
    optimize: str, planner: str, keep_constant_channels: bool, rounding: str, patches: bool
) -> ChoiceArguments:
    """Return what the user chose, or refuse what the compiler does not know."""
    from tinysim.compiler.memory import PLANNERS
    from tinysim.compiler.passes.rounding import ROUNDINGS
    from tinysim.compiler.toolchain import OPTIMIZE_FLAGS

    if optimize not in OPTIMIZE_FLAGS:
        raise typer.BadParameter(f"--optimize is {' or '.join(OPTIMIZE_FLAGS)}, not {optimize}")
    if planner not in PLANNERS:
        raise typer.BadParameter(f"--planner is {' or '.join(PLANNERS)}, not {planner}")
    if rounding not in ROUNDINGS:
        raise typer.BadParameter(f"--rounding is {' or '.join(ROUNDINGS)}, not {rounding}")
    return {
        "optimize": optimize,
        "planner": planner,
        "keeps_constant_channels": keep_constant_channels,
        "rounding": rounding,
        "patches": patches,
    }


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
