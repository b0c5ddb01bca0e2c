"""``tinysim compile``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinysim.cli.files import write_folder
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


def compile(
    model: ModelArgument,
    board: Annotated[str, typer.Option("--board", "-b", help="Board to compile for.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")],
    optimize: OptimizeOption = "speed",
    planner: PlannerOption = "search",
    keep_constant_channels: KeepConstantChannelsOption = False,
    rounding: RoundingOption = "tflm",
    patches: PatchesOption = False,
    sparse: SparseOption = "auto",
    tune: TuneOption = False,
) -> None:
    """Write the C sources, static library, ELF and map of a model for a board.

    main.c is the smallest application; replace it and build with the given linker script.
    """
    import tinysim

    choices = chosen(optimize, planner, keep_constant_channels, rounding, patches, sparse)
    choices, said = tuned_choices(model, board, choices, tune)
    compilation = tinysim.compile(model, board, **choices)
    write_folder(output, dict(compilation.files))
    firmware = compilation.firmware
    for line in said:
        typer.echo(line)
    typer.echo(
        f"{output}: {len(compilation.files)} files; tensor arena {firmware.arena_bytes:,} B, "
        f"inputs at {', '.join(str(i.offset_bytes) for i in firmware.inputs)}, "
        f"outputs at {', '.join(str(i.offset_bytes) for i in firmware.outputs)}"
    )
