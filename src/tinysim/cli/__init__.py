"""The command line: arguments in, API calls, one report out. Alone in printing and exiting.

One module a command; what they share stands in ``options``, ``files`` and ``console``.
"""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from tinysim import __version__
from tinysim.cli import baseline, lab
from tinysim.cli.accuracy import accuracy
from tinysim.cli.boards import boards
from tinysim.cli.check import check
from tinysim.cli.compile import compile
from tinysim.cli.diff import diff
from tinysim.cli.doctor import doctor
from tinysim.cli.ops import ops
from tinysim.cli.run import run
from tinysim.cli.verify import verify
from tinysim.cli.whatif import whatif
from tinysim.errors import TinysimError

BUG = 70

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

for _command in (run, check, whatif, compile, diff, ops, accuracy, verify, doctor):
    app.command()(_command)
app.add_typer(baseline.app, name="baseline")
app.add_typer(boards, name="boards")
app.add_typer(lab.app, name="lab")


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(f"tinysim {__version__}")
        raise typer.Exit


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
