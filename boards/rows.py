"""Rows of a board file: TOML tables as dataclasses, with every problem told."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from tinysim.boards.limits import shown

_Row = TypeVar("_Row")


def rows_of(
    kind: type[_Row], key: str, table: dict[str, Any], problems: list[str]
) -> tuple[_Row, ...]:
    """Take a table of tables, one a row that is called as its key."""
    rows = table.pop(key, {})
    if not isinstance(rows, dict):
        problems.append(f"{key}: not a table of tables")
        return ()
    return tuple(
        row_of(
            kind, row | {"name": name} if isinstance(row, dict) else row, f"{key}.{name}", problems
        )
        for name, row in rows.items()
    )


def row_of(kind: type[_Row], row: Any, where: str, problems: list[str]) -> _Row:
    """Build ``kind`` from a TOML table; what is unknown, missing or wrong goes to ``problems``."""
    if not isinstance(row, dict):
        problems.append(f"{where}: not a table")
        return None  # type: ignore[return-value]
    known = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]
    problems += [f"{where}: unknown key {shown(key)}" for key in sorted(row.keys() - known.keys())]
    for key in row.keys() & known.keys():
        problems += wrong_type(f"{where}: {key}", row[key], known[key])
    try:
        return kind(**{key: value for key, value in row.items() if key in known})
    except TypeError as error:
        problems.append(f"{where}: {str(error).split('__init__() ')[-1]}")
        return None  # type: ignore[return-value]


def wrong_type(where: str, value: Any, kind: str) -> list[str]:
    """Return the complaint about a value that is not what its field holds."""
    is_true_or_false = isinstance(value, bool)
    match kind.removesuffix(" | None"):
        case "int":
            is_right = isinstance(value, int) and not is_true_or_false
        case "float":
            is_right = isinstance(value, int | float) and not is_true_or_false
        case "bool":
            is_right = is_true_or_false
        case "str":
            is_right = isinstance(value, str)
        case _:
            is_right = isinstance(value, tuple) and all(isinstance(one, str) for one in value)
    return [] if is_right else [f"{where} is {shown(value)}, not {kind.removesuffix(' | None')}"]
