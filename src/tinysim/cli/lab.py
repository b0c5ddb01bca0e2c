"""``tinysim lab``: prune, quantize and distill models, and see what it does to the chip."""

from __future__ import annotations

import typer

from tinysim.cli.lab_data import data

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Train, prune, quantize and distill models - and see what it does to the chip.",
)


def require_tensorflow() -> None:
    """Refuse what needs TensorFlow where it is not installed; keep it quiet where it is.

    Raises
    ------
    LibraryError
        With the command that installs it.
    """
    import os
    from importlib.util import find_spec

    from tinysim.errors import LibraryError

    if missing := [name for name in ("tensorflow", "keras") if find_spec(name) is None]:
        raise LibraryError(
            f"needs {' and '.join(missing)}",
            where="tinysim lab",
            fix='pip install "tinysim[lab]"',
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@app.callback()
def _lab() -> None:
    """Let the group be there whatever is registered."""


app.add_typer(data, name="data")
