"""What a layer's JSON configuration says, checked as it is read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

#: No size, stride or number of filters here is larger.
MAX_SIZE = 2**24


class LayerError(Exception):
    """One layer cannot be compiled; the message says why."""


class Config:
    """A JSON object from the file: each value has the type asked for, or is a problem."""

    def __init__(self, values: object) -> None:
        self._values = values if isinstance(values, Mapping) else {}

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def raw(self, key: str) -> Any:
        """Return a value as it is, or None."""
        return self._values.get(key)

    def integer(self, key: str, default: int | None = None, *, least: int = 1) -> int:
        """Return an integer of at least ``least``."""
        return _integer(self._values.get(key, default), key, least)

    def integers(self, key: str, count: int, default: Any = None, *, least: int = 1) -> list[int]:
        """Return ``count`` integers; one alone stands for all."""
        value = self._values.get(key)
        if value is None:
            value = default
        if isinstance(value, list | tuple):
            if len(value) != count:
                raise LayerError(f"{key} is {shown(value)}, expected {count} numbers")
            return [_integer(item, key, least) for item in value]
        return [_integer(value, key, least)] * count

    def flag(self, key: str, default: bool) -> bool:
        """Return a truth value; files of old hold 0 and 1."""
        value = self._values.get(key)
        if value is None:
            return default
        if value not in (True, False):
            raise LayerError(f"{key} is {shown(value)}, expected true or false")
        return bool(value)

    def number(self, key: str, default: float | None = None) -> float:
        """Return a finite number."""
        value = self._values.get(key)
        return _number(default if value is None else value, key)

    def numbers(self, key: str, default: float) -> list[float]:
        """Return a list of finite numbers; one alone is a list of one."""
        value = self._values.get(key)
        items = value if isinstance(value, list) else [default if value is None else value]
        return [_number(item, key) for item in items]

    def choice(self, key: str, default: str, *choices: str) -> str:
        """Return one of ``choices``."""
        value = self._values.get(key)
        value = default if value is None else value
        if value not in choices:
            raise LayerError(f"{key} is {shown(value)}, supported: {', '.join(choices)}")
        return str(value)


def _integer(value: object, key: str, least: int) -> int:
    """Return ``value`` if it is an integer in range."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MAX_SIZE:
        raise LayerError(f"{key} is {shown(value)}, expected a whole number from {least}")
    return value


def _number(value: object, key: str) -> float:
    """Return ``value`` if it is a finite number; numpy scalars stand wrapped in the file."""
    if isinstance(value, Mapping):
        inner = value.get("config", value)
        value = inner.get("value") if isinstance(inner, Mapping) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or abs(value) > 1e38:  # type: ignore[arg-type]
        raise LayerError(f"{key} is {shown(value)}, expected a number")
    return float(value)  # type: ignore[arg-type]


def shown(value: object) -> str:
    """Make a value from the file fit to be shown: printable, short."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except (RecursionError, ValueError):
        text = "?"
    text = "".join(char if char.isprintable() else "?" for char in text[:200])
    return text if len(text) <= 80 else text[:77] + "..."
