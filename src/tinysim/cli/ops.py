"""``tinysim ops``."""

from __future__ import annotations

from typing import Annotated

import typer

from tinysim.cli.console import console, plain_table


def ops(
    markdown: Annotated[
        bool, typer.Option(help="Print operators and types as a table in Markdown.")
    ] = False,
) -> None:
    """List the operators that are computed, by type, with their kernels."""
    from tinysim.compiler.ops import operator_class, operator_names

    classes = {name: operator_class(name) for name in operator_names()}
    if markdown:
        typer.echo("| operator | types |\n| --- | --- |")
        for name, cls in classes.items():
            assert cls is not None
            types = "any" if cls.is_view else ", ".join(dtype.value for dtype in cls.kernels)
            typer.echo(f"| `{name}` | {types} |")
        return
    table = plain_table("operator", "type", "kernels")
    for name, cls in classes.items():
        assert cls is not None
        for dtype, kernels in cls.kernels.items():
            table.add_row(name, dtype.value, ", ".join(kernels))
    console().print(table)
