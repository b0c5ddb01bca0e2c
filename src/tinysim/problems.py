"""Everything that is wrong with a file that a user has written, each with its line.

A reader goes through all of the file and notes what it cannot take; only then does it refuse it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinysim import toml_lines


@dataclass(frozen=True)
class Source:
    """A place in a file; lines count from 1."""

    file: Path
    line: int


class Problems:
    """What is wrong with a file, by line; ``source`` says where a value stands."""

    def __init__(self, source: Callable[[toml_lines.Path], Source]) -> None:
        self.source = source
        self.found: list[tuple[int, str]] = []

    def add(self, path: toml_lines.Path, what: str) -> None:
        """Note what is wrong with the value at ``path``."""
        text = f"{spell(path)}{what}"
        printable = "".join(char if char.isprintable() else "?" for char in text)
        self.found.append((self.source(path).line, printable))

    def unknown(self, path: toml_lines.Path, known: Iterable[str]) -> None:
        """Note a key that means nothing, and which one may be meant."""
        self.add(path, f"unknown, {near(str(path[-1]), known)}")

    def table(self, written: object, path: toml_lines.Path) -> dict[str, Any]:
        """Return a table, or an empty one in place of what is none."""
        if isinstance(written, dict):
            return written
        self.add(path, f"{written!r} is no table")
        return {}


def near(name: str, known: Iterable[str]) -> str:
    """Return a hint at what may be meant, or at all that there is."""
    known = list(known)
    found = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    return f"did you mean {' or '.join(found)}?" if found else f"known: {', '.join(known)}"


def spell(path: toml_lines.Path) -> str:
    """Write a path to be read: ``model[1].budget.latency: ``."""
    parts = [f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).removeprefix(".") + ": " if path else ""
