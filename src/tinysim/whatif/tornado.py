"""A tornado plot: bars left and right of today's latency, the longest on top.

One SVG without anything from elsewhere; light or dark as the reader's screen is; each bar says its
own figures to those who do not see it.
"""

from __future__ import annotations

import math
from html import escape

from tinysim.whatif import Outcome, WhatIf, effect
from tinysim.whatif.render import remarks, share, si, times

_ROW, _TOP, _LABEL, _SIDE, _VALUE = 22, 64, 270, 190, 200
_WIDTH = _LABEL + 2 * _SIDE + _VALUE
_AXIS = _LABEL + _SIDE
_STYLE = """
.tornado { background: #fff; font: 12px system-ui, sans-serif; }
.tornado text { fill: #1b1b1b; } .tornado .quiet { fill: #5c5c5c; }
.tornado .faster { fill: #0b6e99; } .tornado .slower { fill: #c2570c; }
.tornado .line { stroke: #8a8a8a; } .tornado .grid { stroke: #e3e3e3; }
@media (prefers-color-scheme: dark) {
.tornado { background: #16181c; }
.tornado text { fill: #ececec; } .tornado .quiet { fill: #a8a8a8; }
.tornado .faster { fill: #58b7e0; } .tornado .slower { fill: #f0975a; }
.tornado .line { stroke: #8a8a8a; } .tornado .grid { stroke: #34373d; }
}
"""
_PAGE_STYLE = """
:root { color-scheme: light dark; } body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem; }
svg { max-width: 100%; height: auto; }
"""


def svg(found: WhatIf) -> str:
    """Render as an SVG image."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{_plot(found)}\n'


def html(found: WhatIf) -> str:
    """Render as a page with the plot and what is to be known of it."""
    notes = "\n".join(f"<li>{_plain(line)}</li>" for line in remarks(found))
    title = _title(found)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>{_PAGE_STYLE}</style>\n{_plot(found)}\n<ul>\n{notes}\n</ul>\n</html>\n"
    )


def _plot(found: WhatIf) -> str:
    height = _TOP + _ROW * len(found.outcomes) + 16
    today = f"{si(found.today.latency_s, 's')}, {found.today.cycles:,} cycles"
    first = found.outcomes[0].what if found.outcomes else "nothing"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="tornado" role="group" '
        f'aria-labelledby="tornado-title tornado-desc" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}">',
        f'<title id="tornado-title">{_title(found)}</title>',
        f'<desc id="tornado-desc">Latency if one thing is otherwise, beside {_plain(today)} as it '
        f"is; bars to the left are faster, logarithmic scale. What matters most: "
        f"{_plain(first)}.</desc>",
        f"<style>{_STYLE}</style>",
        f'<text x="12" y="20" font-weight="bold">{_title(found)}</text>',
        f'<text x="{_AXIS}" y="38" text-anchor="middle">{_plain(today)}</text>',
        *_grid(found, height),
        *(_bar(one, found, _TOP + _ROW * row) for row, one in enumerate(found.outcomes)),
        f'<line class="line" x1="{_AXIS}" x2="{_AXIS}" y1="{_TOP - 6}" y2="{height - 12}"/>',
        "</svg>",
    ]
    return "\n".join(parts)


def _grid(found: WhatIf, height: int) -> list[str]:
    """Draw lines at doubled and halved latencies, as many as have room."""
    most = max((effect(one, found.today) for one in found.outcomes), default=1.0)
    lines = []
    doublings = math.floor(math.log2(most)) if most > 1 else 0
    for step in range(1, doublings + 1):
        for side, factor in ((1, f"x{2**step}"), (-1, f"x1/{2**step}")):
            x = _AXIS + side * _SIDE * step * math.log(2) / math.log(most)
            place = f'x="{x:.1f}" y="{_TOP - 12}"'
            lines.append(
                f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 6}" y2="{height - 12}"/>'
                f'<text class="quiet" {place} text-anchor="middle">{factor}</text>'
            )
    return lines


def _bar(one: Outcome, found: WhatIf, y: int) -> str:
    ratio = one.latency_s / found.today.latency_s
    width = max(1.0, share(one, found) * _SIDE)
    x = _AXIS - width if ratio < 1 else _AXIS
    kind = "faster" if ratio < 1 else "slower"
    value = f"{si(one.latency_s, 's')} ({times(ratio)})"
    energy = "energy unknown" if one.energy_j is None else si(one.energy_j, "J")
    fits = "" if one.fits else ", does not fit"
    said = (
        f"{one.what}: {value}, {energy}, RAM {one.ram_bytes:,} B, flash {one.flash_bytes:,} B{fits}"
    )
    return (
        f'<g role="img" aria-label="{_plain(said)}"><title>{_plain(said)}</title>'
        f'<text x="{_LABEL - 8}" y="{y + 12}" text-anchor="end">{_plain(one.what)}</text>'
        f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_ROW - 6}"/>'
        f'<text class="quiet" x="{_LABEL + 2 * _SIDE + 12}" y="{y + 12}">'
        f"{_plain(value + fits)}</text></g>"
    )


def _title(found: WhatIf) -> str:
    return _plain(f"What matters for {found.model_name} on {found.board_title}")


def _plain(text: str) -> str:
    """Keep names from steering the page."""
    return escape("".join(char if char.isprintable() else "?" for char in text))
