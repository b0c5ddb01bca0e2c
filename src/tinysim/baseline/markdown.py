"""A comparison as Markdown: fit for a comment on a change."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tinysim.baseline import Comparison
from tinysim.baseline.words import (
    HEADINGS,
    changed_layers,
    remark_on_layers,
    row,
    title,
    verdict,
)

#: What Markdown or HTML would take for more than text; ``_`` inside of words is none.
_MEANING = re.compile(r"""[\\`*{}\[\]()#+!|~@:<>&"']|(?<!\w)_|_(?!\w)|(?<=www)\.""", re.IGNORECASE)


def render(comparison: Comparison) -> str:
    """Render as GitHub's Markdown."""
    parts = [
        f"### {_text(title(comparison))}",
        f"**{verdict(comparison)}**",
        _table(("total",), [((delta.name,), row(delta)) for delta in comparison.totals]),
    ]
    causes = [((delta.name,), row(delta)) for delta in comparison.causes if delta.is_changed]
    if causes:
        parts.append(_table(("cycles by cause",), causes))
    layers = [(names, row(delta)) for *names, delta in changed_layers(comparison)]
    if layers:
        parts.append(_table(("#", "layer", "op", "kernel"), layers))
    parts.append(_text(remark_on_layers(comparison)))
    if comparison.conditions:
        parts.append(
            "\n".join(
                f"- {one.name}: {_text(one.before)} → {_text(one.after)}"
                for one in comparison.conditions
            )
        )
    return "\n\n".join(parts) + "\n"


def _table(names: Sequence[str], rows: Sequence[tuple[Sequence[str], Sequence[str]]]) -> str:
    lines = [(*names, *HEADINGS), ("---",) * len(names) + ("---:",) * len(HEADINGS)]
    lines += [(*map(_text, texts), *figures) for texts, figures in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(text: str) -> str:
    """Keep a name from being anything but text: one line, no mark-up, link, mention or emoji."""
    line = "".join(char if char.isprintable() else "?" for char in text)
    return re.sub(_MEANING, lambda found: f"&#{ord(found[0])};", line)
