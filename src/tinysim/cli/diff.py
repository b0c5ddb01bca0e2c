"""``tinysim diff``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinysim.cli.console import console, plain_table
from tinysim.cli.files import read_array
from tinysim.cli.options import (
    KeepConstantChannelsOption,
    ModelArgument,
    OptimizeOption,
    PatchesOption,
    PlannerOption,
    RoundingOption,
    SparseOption,
    TuneOption,
    chosen,
    tuned_choices,
)

#: Distances that get a column of their own; what lies further apart is counted together.
COLUMNS = (1, 2, 3, 4)
DIFFERS = 1


def diff(
    model: ModelArgument,
    board: Annotated[str, typer.Option("--board", "-b", help="Board to run on.")] = "generic_m4",
    input: Annotated[
        list[Path] | None,
        typer.Option(help="Input as .npy, one an input; seeded random numbers if not given."),
    ] = None,
    optimize: OptimizeOption = "speed",
    planner: PlannerOption = "search",
    keep_constant_channels: KeepConstantChannelsOption = False,
    rounding: RoundingOption = "tflm",
    patches: PatchesOption = False,
    sparse: SparseOption = "auto",
    tune: TuneOption = False,
) -> None:
    """Compare every layer's output on the emulated board with the host's.

    Elements are counted by how far they lie apart: in steps of an integer type, in units in the
    last place of the largest magnitude for floats.

    Exit code 0: integers are equal and floats near. 1: they are not.
    """
    from tinysim.compiler import Choices
    from tinysim.layerwise import compare_layers, first_difference

    choices = chosen(optimize, planner, keep_constant_channels, rounding, patches, sparse)
    choices, said = tuned_choices(model, board, choices, tune)
    found = compare_layers(
        model,
        board,
        inputs=None if not input else [read_array(path) for path in input],
        choices=Choices(**choices),
    )
    headings = ("#", "layer", "operator", "type", "shape", "equal", *map(str, COLUMNS), "more")
    table = plain_table(*headings)
    for layer in found:
        more = sum(count for steps, count in layer.steps.items() if steps > COLUMNS[-1])
        counts = (layer.steps.get(0, 0), *(layer.steps.get(n, 0) for n in COLUMNS), more)
        shape = "x".join(map(str, layer.shape))
        cells = (str(layer.index), layer.name, layer.op, layer.dtype, shape)
        table.add_row(*cells, *(f"{count:,}" if count else "" for count in counts))
    out = console()
    out.print(table, markup=False)
    for line in said:
        out.print(line, markup=False)
    first = first_difference(found)
    if first is None:
        out.print("every layer's output is the host's", markup=False)
        return
    what = "first difference" if first.is_wrong else "first rounding difference of floats"
    out.print(
        f"{what}: layer {first.index} ({first.op}, {first.kernel}): {first.differing:,} elements, "
        f"up to {first.worst:,} apart",
        markup=False,
    )
    if any(layer.is_wrong for layer in found):
        raise typer.Exit(DIFFERS)
