"""The terminal: tables, and progress while something runs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console


def console() -> Console:
    """Return the console of stdout: colour on a terminal, wide and plain when piped."""
    from rich.console import Console

    console = Console(soft_wrap=False, highlight=False)
    return console if console.is_terminal else Console(width=160, highlight=False)


def plain_table(*headings: str) -> Any:
    """Return a table without lines."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading)
    return table


@contextmanager
def progress(board: str, quiet: bool) -> Iterator[Any]:
    """Show what is being done, on a terminal's stderr only."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda stage: None
        return
    with console.status(f"{board}: reading") as status:
        yield lambda stage: status.update(f"{board}: {stage}")
