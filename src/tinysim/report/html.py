"""HTML: one self-contained file to look at, print and pass on; it asks the network for nothing.

``_html/`` has a module a section, which computes, and its template, which shows. Whatever comes
from a model is escaped and, first, rid of what does not print.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinysim.report._table import printable
from tinysim.simulator.profile import Profile

if TYPE_CHECKING:
    import jinja2


def render(profile: Profile) -> str:
    """Render as a page."""
    from tinysim.report._html import arena, conditions, costs, flame, regions, verdict, words

    template = _environment().get_template("page.html.j2")
    return template.render(
        profile=profile,
        causes=words.CAUSES,
        headline=verdict.headline(profile),
        figures=verdict.figures(profile),
        charts=costs.charts(profile),
        arena=arena,
        picture=arena.picture(profile),
        filled=regions.filled(profile),
        empty=regions.empty(profile),
        frames=flame.frames(profile),
        conditions=conditions.conditions(profile),
    )


def _environment() -> jinja2.Environment:
    import jinja2
    from markupsafe import Markup

    from tinysim.report._html import words

    def clean(value: Any) -> Any:
        if not isinstance(value, str) or isinstance(value, Markup):
            return value
        return words.SPACE.join(map(printable, value.split(words.SPACE)))

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tinysim.report", "_html"),
        autoescape=True,
        finalize=clean,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= words.FILTERS
    return environment
