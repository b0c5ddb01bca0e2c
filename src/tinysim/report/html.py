"""HTML: the terminal's report in one self-contained fragment, as notebooks show it."""

from __future__ import annotations

import html

from tinysim.report import text
from tinysim.simulator.profile import Profile


def render(profile: Profile) -> str:
    """Render as a preformatted block."""
    style = "font-family:monospace;line-height:1.25;overflow-x:auto"
    return f'<pre style="{style}">{html.escape(text.render(profile))}</pre>\n'
