"""The C sources that run on the board: one header a kernel, and what they share.

Portable kernels lie here, those for a kind of core in the folder named after it.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

#: Folders with kernels for a kind of core; file names are unique over all of them.
TUNED = ("dsp", "v6m", "vfp")


def source_dir() -> Traversable:
    """Return the folder that holds the sources, wherever the package is installed."""
    return files("tinysim.kernels")


def header_names(folder: str = "") -> tuple[str, ...]:
    """Return the file names of the portable headers, or of those of a folder, sorted."""
    place = source_dir() / folder if folder else source_dir()
    return tuple(sorted(file.name for file in place.iterdir() if file.name.endswith(".h")))


def read_kernel(name: str) -> str:
    """Return the text of a source file, named with its suffix, in whatever folder it lies."""
    places = (source_dir() / name, *(source_dir() / folder / name for folder in TUNED))
    found = next((place for place in places if place.is_file()), places[0])
    return found.read_text(encoding="utf-8")
