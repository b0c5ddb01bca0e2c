"""Where the keys of a TOML file stand: what ``tomllib`` does not say of the file that it has read.

The text must be valid TOML. Paths are keys and indices, as one would write them to get at the value
in ``tomllib``'s result: ``("model", 0, "budget", "latency")``.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:\s|#[^\n]*)*")
_STRING = re.compile(
    r"""\"{3}(?:[^\\]|\\.)*?\"{3}\"{0,2} | '{3}.*?'{3}'{0,2} | "(?:[^"\\]|\\.)*" | '[^']*'""",
    re.DOTALL | re.VERBOSE,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")


def find_lines(text: str) -> dict[Path, int]:
    """Return the line, from 1, of every key, table and element."""
    return _Scanner(text).scan()


class _Scanner:
    """One pass over the text; ``at`` is the next character."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.newlines = [found.start() for found in re.finditer("\n", text)]
        self.lines: dict[Path, int] = {}
        self.lengths: dict[Path, int] = {}

    def scan(self) -> dict[Path, int]:
        """Go through headers and assignments."""
        table: Path = ()
        while self.skip() < len(self.text):
            line = self.line()
            if self.took("[["):
                *parents, last = self.keys()
                path = (*self.resolved(parents), last)
                index = self.lengths.get(path, 0)
                self.lengths[path] = index + 1
                table = self.note((), (*path, index), line)
                self.took("]]")
            elif self.took("["):
                keys = self.keys()
                table = self.note((), self.resolved(keys), line)
                self.took("]")
            else:
                self.assignment(table)
        return self.lines

    def assignment(self, table: Path) -> None:
        """Read ``key = value``."""
        line = self.line()
        path = self.note(table, tuple(self.keys()), line)
        self.took("=")
        self.value(path)

    def value(self, path: Path) -> None:
        """Read a value, and note what is in it."""
        self.skip()
        if self.took("["):
            index = 0
            while not self.took("]"):
                self.note(path, (index,), self.line())
                self.value((*path, index))
                self.took(",")
                index += 1
        elif self.took("{"):
            while not self.took("}"):
                self.assignment(path)
                self.took(",")
        else:
            found = _STRING.match(self.text, self.at) or _BARE_VALUE.match(self.text, self.at)
            assert found is not None
            self.at = found.end()

    def keys(self) -> list[str]:
        """Read a key with its dots."""
        keys: list[str] = []
        while not keys or self.took("."):
            self.skip()
            if bare := _BARE_KEY.match(self.text, self.at):
                keys.append(bare[0])
                self.at = bare.end()
            else:
                quoted = _STRING.match(self.text, self.at)
                assert quoted is not None
                keys.append(tomllib.loads(f"key = {quoted[0]}")["key"])
                self.at = quoted.end()
        return keys

    def resolved(self, keys: list[str]) -> Path:
        """Return a header's path; an array of tables stands for its last one."""
        path: Path = ()
        for key in keys:
            path = (*path, key)
            if path in self.lengths:
                path = (*path, self.lengths[path] - 1)
        return path

    def note(self, path: Path, more: Path, line: int) -> Path:
        """Remember the line of a path and of the new ones that it leads through."""
        for part in more:
            path = (*path, part)
            self.lines.setdefault(path, line)
        return path

    def line(self) -> int:
        """Return the line of the next character."""
        self.skip()
        return bisect_left(self.newlines, self.at) + 1

    def skip(self) -> int:
        """Skip blanks and comments."""
        found = _BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at

    def took(self, mark: str) -> bool:
        """Skip blanks and, if it is there, a mark."""
        self.skip()
        if not self.text.startswith(mark, self.at):
            return False
        self.at += len(mark)
        return True
