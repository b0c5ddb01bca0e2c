"""Plain text: the terminal's report without colour, 160 columns wide."""

from __future__ import annotations

import io

from rich.console import Console

from tinysim.report._table import report
from tinysim.simulator.profile import Profile


def render(profile: Profile) -> str:
    """Render as plain text."""
    console = Console(file=io.StringIO(), width=160, color_system=None, legacy_windows=False)
    console.print(report(profile))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
