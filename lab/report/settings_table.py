"""What every stage can be told, as a table."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from importlib import import_module
from typing import Any, get_type_hints

from tinysim.lab import stages
from tinysim.lab.report.table import NOTHING, Table
from tinysim.lab.values import name_of


def settings_table() -> Table:
    """Return a line for each setting of each stage."""
    lines = []
    for kind in stages.kinds():
        made_of = import_module(f"{stages.__name__}.{kind}").Settings
        hints = get_type_hints(made_of)
        lines += [
            (kind, field.name, name_of(hints[field.name]), _default(field))
            for field in fields(made_of)
        ] or [(kind, NOTHING, NOTHING, NOTHING)]
    return Table(
        "Settings of stages", ("stage", "setting", "what it is", "default"), tuple(lines), 4
    )


def _default(field: Field[Any]) -> str:
    """Return a default as a recipe would have it, texts without their quotes."""
    if field.default_factory is not MISSING:
        return _written(field.default_factory())
    return "must be given" if field.default is MISSING else _written(field.default)


def _written(value: object) -> str:
    if value is None or value in ("", (), {}):
        return NOTHING
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_written, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
