"""The C sources that run on the board: one header a kernel, and what they share."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable


def source_dir() -> Traversable:
    """Return the folder that holds the sources, wherever the package is installed."""
    return files("tinysim.kernels")


def header_names() -> tuple[str, ...]:
    """Return the file names of all headers, sorted."""
    return tuple(sorted(file.name for file in source_dir().iterdir() if file.name.endswith(".h")))


def read_kernel(name: str) -> str:
    """Return the text of a source file, named with its suffix."""
    return (source_dir() / name).read_text(encoding="utf-8")
