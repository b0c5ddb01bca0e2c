"""The terminal: tables, and progress while something runs."""

from __future__ import annotations

import os
import select
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console


def console() -> Console:
    """Return the console of stdout: colour on a terminal, wide and plain when piped.

    Brackets in names are brackets, not markup.
    """
    from rich.console import Console

    console = Console(soft_wrap=False, highlight=False, markup=False)
    return console if console.is_terminal else Console(width=160, highlight=False, markup=False)


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


class StandardTerminal:
    """The user at stdin and stdout, or what a pipe has to say."""

    def read(self) -> bytes | None:
        """Return what has been typed since, without waiting; None at the end."""
        ready, _, _ = select.select([sys.stdin], [], [], 0)
        if not ready:
            return b""
        return os.read(sys.stdin.fileno(), 4096) or None

    def write(self, data: bytes) -> None:
        """Show what firmware has printed; what is no text shows as such."""
        text = data.decode("utf-8", errors="backslashreplace")
        sys.stdout.write("".join(c if c.isprintable() or c in "\r\n\t" else "?" for c in text))
        sys.stdout.flush()
