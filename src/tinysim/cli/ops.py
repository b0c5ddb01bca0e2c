"""``tinysim ops``."""

from __future__ import annotations

from tinysim.cli.console import console, plain_table


def ops() -> None:
    """List the operators that are computed, by type, with their kernels."""
    from tinysim.compiler.ops import operator_class, operator_names

    table = plain_table("operator", "type", "kernels")
    for name in operator_names():
        cls = operator_class(name)
        assert cls is not None
        for dtype, kernels in cls.kernels.items():
            table.add_row(name, dtype.value, ", ".join(kernels))
    console().print(table)
