"""A comparison as one HTML file that needs nothing besides itself."""

from __future__ import annotations

from importlib.resources import files

from tinysim.baseline import Comparison
from tinysim.baseline.words import (
    HEADINGS,
    changed_layers,
    remark_on_layers,
    row,
    title,
    verdict,
)


def render(comparison: Comparison) -> str:
    """Render as HTML."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("tinysim.baseline").joinpath("diff.html.j2").read_text(encoding="utf-8")
    largest = max((abs(layer.cycles.change or 0) for layer in comparison.layers), default=0)
    return environment.from_string(source).render(
        title=title(comparison),
        verdict=verdict(comparison),
        comparison=comparison,
        headings=HEADINGS,
        layers=changed_layers(comparison),
        largest=max(1, largest),
        remark=remark_on_layers(comparison),
        row=row,
    )
