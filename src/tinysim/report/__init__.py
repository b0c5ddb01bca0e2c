"""Profile -> text, one module a format: drop a module with ``render(profile) -> str`` in.

What is to be said of a whole check is in modules ``_check_*`` with ``render_check(result) -> str``.
A format that holds several profiles has ``render_all(profiles) -> str``, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules

from tinysim.budget import CheckResult
from tinysim.simulator.profile import Profile

#: The formats: the modules of this folder.
FORMATS = tuple(
    sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))
)

#: Formats of a whole check -> their modules.
CHECK_FORMATS = {
    "text": "_check_table",
    "json": "_check_json",
    "markdown": "_check_markdown",
    "junit": "_check_junit",
    "sarif": "_check_sarif",
}


def render(profile: Profile, format: str) -> str:
    """Render ``profile`` as one of ``FORMATS``."""
    text: str = import_module(f"{__name__}.{format}").render(profile)
    return text


def render_check(result: CheckResult, format: str) -> str:
    """Render ``result`` as one of ``CHECK_FORMATS``."""
    module = import_module(f"{__name__}.{CHECK_FORMATS[format]}")
    text: str = module.render_check(result)
    return text


def fragment(profile: Profile) -> str:
    """Render ``profile`` for a notebook: the text report as a preformatted block of HTML."""
    import html

    style = "font-family:monospace;line-height:1.25;overflow-x:auto"
    return f'<pre style="{style}">{html.escape(render(profile, "text"))}</pre>\n'


def holds_several(format: str) -> bool:
    """Say whether one text of a format can hold several profiles."""
    return hasattr(import_module(f"{__name__}.{format}"), "render_all")


def render_all(profiles: Sequence[Profile], format: str) -> str:
    """Render one profile, or several in a format that holds them."""
    if len(profiles) == 1:
        return render(profiles[0], format)
    text: str = import_module(f"{__name__}.{format}").render_all(profiles)
    return text
