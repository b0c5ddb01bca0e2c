"""``tinysim doctor``."""

from __future__ import annotations

import sys

import typer

from tinysim.cli.console import console, plain_table
from tinysim.errors import TinysimError


def doctor() -> None:
    """Check the tools that are needed, and say how to get what is missing."""
    from importlib.metadata import PackageNotFoundError, version

    from tinysim.compiler.toolchain import compiler_version
    from tinysim.simulator.native_tracer import native_library

    table = plain_table("tool", "state")
    healthy = True
    try:
        table.add_row("cross compiler", compiler_version())
    except TinysimError as error:
        healthy = False
        table.add_row("cross compiler", f"MISSING: {error.fix}")
    slow = "not built: runs are slower. Install a C compiler (apt-get install gcc libc6-dev) "
    slow += "and run: pip install --force-reinstall --no-deps tinysim"
    table.add_row("native tracer", "built" if native_library() else slow)
    table.add_row("python", sys.version.split()[0])
    for package in ("tinysim", "unicorn", "capstone", "pyelftools", "numpy", "tflite", "jinja2"):
        try:
            table.add_row(package, version(package))
        except PackageNotFoundError:
            healthy = False
            table.add_row(package, f"MISSING: run: pip install {package}")
    console().print(table)
    if not healthy:
        raise typer.Exit(4)
