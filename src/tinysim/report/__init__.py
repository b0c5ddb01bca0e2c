"""Profile -> text, one module a format: drop a module with ``render(profile) -> str`` in."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tinysim.simulator.profile import Profile

#: The formats: the modules of this folder.
FORMATS = tuple(
    sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))
)


def render(profile: Profile, format: str) -> str:
    """Render ``profile`` as one of ``FORMATS``."""
    text: str = import_module(f"{__name__}.{format}").render(profile)
    return text
