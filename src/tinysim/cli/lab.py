"""``tinysim lab``: prune, quantize and distill models, and see what it does to the chip."""

from __future__ import annotations

import typer

from tinysim.cli.lab_compare import compare
from tinysim.cli.lab_data import data
from tinysim.cli.lab_needs import require_tensorflow as require_tensorflow
from tinysim.cli.lab_prune import prune
from tinysim.cli.lab_run import run
from tinysim.cli.lab_sparse import sparse
from tinysim.cli.lab_stages import stages

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Train, prune, quantize and distill models - and see what it does to the chip.",
)

for _command in (run, compare, prune, sparse, stages):
    app.command()(_command)
app.add_typer(data, name="data")
