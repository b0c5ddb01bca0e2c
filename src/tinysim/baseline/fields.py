"""Values out of data that nobody vouches for: all that is wrong with it is said at once."""

from __future__ import annotations

import math
from typing import Any

#: Counts beyond this are no counts of anything, and would not fit into a float.
MAX_COUNT = 2**63
MAX_PROBLEMS = 8


class Fields:
    """The fields of one JSON object at ``path``.

    What is missing or of the wrong type is added to ``problems`` and read as nothing.
    """

    def __init__(self, data: Any, path: str, problems: list[str]) -> None:
        self._path, self._problems = path, problems
        self._data: dict[str, Any] | None = data if isinstance(data, dict) else None
        if self._data is None:
            self._complain(path.removesuffix(".") or "the file", "an object")

    def part(self, key: str) -> Fields:
        """Return a nested object."""
        return Fields(self._take(key, {}), f"{self._path}{key}.", self._problems)

    def parts(self, key: str) -> list[Fields]:
        """Return a list of objects."""
        return [
            Fields(item, f"{self._path}{key}[{number}].", self._problems)
            for number, item in enumerate(self._list(key))
        ]

    def text(self, key: str) -> str:
        """Return text that can be written to a file."""
        return self._text(self._take(key, ""), key)

    def texts(self, key: str) -> list[str]:
        """Return a list of texts."""
        return [self._text(item, key) for item in self._list(key)]

    def count(self, key: str) -> int:
        """Return an integer that counts something."""
        return self._count(self._take(key, 0), key)

    def counts(self, key: str) -> dict[str, int]:
        """Return an object of counts."""
        nested = self.part(key)
        return {self._text(name, key): nested.count(name) for name in nested._data or ()}

    def shape(self, key: str) -> tuple[int, ...]:
        """Return a list of counts."""
        return tuple(self._count(item, key) for item in self._list(key))

    def number(self, key: str, or_none: bool = False) -> float | None:
        """Return a number that measures something."""
        value = self._take(key, 0)
        if value is None and or_none:
            return None
        if type(value) not in (int, float) or not 0 <= value < MAX_COUNT or math.isnan(value):
            self._complain(self._path + key, "a number")
            return 0.0
        return float(value)

    def _take(self, key: str, nothing: Any) -> Any:
        if self._data is None:
            return nothing
        if key not in self._data:
            self._complain(self._path + key, "there")
            return nothing
        return self._data[key]

    def _list(self, key: str) -> list[Any]:
        value = self._take(key, [])
        if not isinstance(value, list):
            self._complain(self._path + key, "a list")
            return []
        return value

    def _text(self, value: Any, key: str) -> str:
        try:
            return str(value.encode().decode())
        except (AttributeError, UnicodeEncodeError):
            self._complain(self._path + key, "text")
            return ""

    def _count(self, value: Any, key: str) -> int:
        if type(value) is not int or not 0 <= value < MAX_COUNT:
            self._complain(self._path + key, "a count")
            return 0
        return value

    def _complain(self, what: str, expected: str) -> None:
        """Add a problem; the first few say enough about a file that is something else."""
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(f"{what} is not {expected}")
        elif len(self._problems) == MAX_PROBLEMS:
            self._problems.append("and more")
