"""``tinysim lab sparse``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinysim.cli.console import console, progress
from tinysim.cli.lab_needs import require_tensorflow
from tinysim.cli.options import OptimizeOption

if TYPE_CHECKING:
    from tinysim.compiler.graph import Graph

#: Random samples that the activations of a Keras model are quantized by: costs depend on shapes
#: and on zeros, not on what activations are.
_CALIBRATION = 8
_NOTE = """\
chosen: by --sparse auto. smaller, faster below: shares of non-zeros below which an encoding takes
fewer bytes (without code, which layers share), or fewer cycles and so less energy, than dense; as
random weights of the layer's shape have it."""


def sparse(
    model: Annotated[
        Path,
        typer.Argument(help="Model of int8 or float32 weights, or .keras.", show_default=False),
    ],
    board: Annotated[str, typer.Option("--board", "-b", help="What to measure on.")],
    optimize: OptimizeOption = "balanced",
    markdown: Annotated[bool, typer.Option("--markdown", help="As tables of Markdown.")] = False,
) -> None:
    """Say what leaving zeros out of each layer's weights costs and saves, and from where on.

    A .keras model is quantized to int8 before; its zeros stay zeros.
    """
    from tinysim.compiler.toolchain import OPTIMIZE_FLAGS
    from tinysim.errors import RecipeError
    from tinysim.lab.report.sparse_table import image_table, layer_table
    from tinysim.lab.report.table import as_markdown, as_rich
    from tinysim.lab.sparse import break_even, compare

    if optimize not in OPTIMIZE_FLAGS:
        raise typer.BadParameter(f"--optimize is {', '.join(OPTIMIZE_FLAGS)}, not {optimize}")
    with progress(board, quiet=False) as on_stage:
        graph = _read(model)
        on_stage("measuring the model")
        found = compare(graph, model.name, board, optimize)
        if not found.layers:
            raise RecipeError(
                "has no layer with weights that zeros can be left out of",
                where=str(model),
                fix="see docs/kernels.md for which layers can",
            )
        shapes = dict.fromkeys(layer.shape for layer in found.layers)
        curves = {}
        for done, shape in enumerate(shapes):
            on_stage(f"measuring layers of {done + 1} of {len(shapes)} shapes")
            curves[shape] = break_even(shape, board, optimize)
    for table in (layer_table(found, curves), image_table(found)):
        if markdown:
            typer.echo(f"{table.title}\n\n{as_markdown(table)}")
        else:
            console().print(as_rich(table), "")
    typer.echo(_NOTE)


def _read(model: Path) -> Graph:
    """Return a model, if it is Keras's as int8."""
    from tinysim.compiler.readers import read_model

    if model.suffix != ".keras":
        return read_model(model)
    require_tensorflow()
    import tempfile

    import numpy as np

    from tinysim.lab.model_files import load_model
    from tinysim.lab.quantize.convert import convert

    whole = load_model(model)
    shape = tuple(whole.inputs[0].shape[1:])
    samples = np.random.default_rng(0).random((_CALIBRATION, *shape), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{model.stem}.tflite"
        path.write_bytes(convert(whole, "int8", samples))
        return read_model(path)
