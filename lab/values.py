"""Values of TOML files as the types that fields are annotated with."""

from __future__ import annotations

import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from tinysim.problems import near

_WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false", Path: "path"}


def read_value(kind: Any, written: object, folder: Path) -> Any:
    """Return what was written as the type that an annotation names.

    Paths are found from ``folder``. A whole number may stand for a real one, nothing else for
    anything else.

    Raises
    ------
    ValueError
        Saying what was expected.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _one_of(arguments, written, folder)
    if origin is Literal:
        if not any(type(written) is type(one) and written == one for one in arguments):
            raise ValueError(f"{written!r} is not known, {near(str(written), map(str, arguments))}")
        return written
    if origin is tuple:
        return _tuple(arguments, written, folder)
    if origin in (Mapping, dict):
        if not isinstance(written, dict):
            raise ValueError(f"{written!r} is no table")
        return {name: read_value(arguments[1], one, folder) for name, one in written.items()}
    if kind is Path and isinstance(written, str) and written:
        return folder / written
    if kind is float and type(written) is int:
        return float(written)
    if kind is not Any and type(written) is not kind:
        raise ValueError(f"{written!r} is not what is wanted: {name_of(kind)}")
    return written


def name_of(kind: Any) -> str:
    """Return what a type is called where it is explained."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(name_of(one) for one in arguments if one is not type(None))
    if origin is Literal:
        return ", ".join(map(str, arguments))
    if origin is tuple:
        return f"list of {name_of(arguments[0])}"
    if origin in (Mapping, dict):
        return f"table of {name_of(arguments[1])}"
    return _WORDS.get(kind, getattr(kind, "__name__", str(kind)))


def _one_of(kinds: tuple[Any, ...], written: object, folder: Path) -> Any:
    """Return the value as the first type that takes it; TOML has no None to be written."""
    wanted = [kind for kind in kinds if kind is not type(None)]
    for kind in wanted[:-1]:
        try:
            return read_value(kind, written, folder)
        except ValueError:
            continue
    return read_value(wanted[-1], written, folder)


def _tuple(kinds: tuple[Any, ...], written: object, folder: Path) -> tuple[Any, ...]:
    """Read a list: of any length, or with a type for each place."""
    if not isinstance(written, list):
        raise ValueError(f"{written!r} is no list")
    expected = kinds[:1] * len(written) if kinds[1:] == (...,) else kinds
    if len(expected) != len(written):
        raise ValueError(f"{written!r} has {len(written)} parts instead of {len(expected)}")
    return tuple(read_value(kind, one, folder) for kind, one in zip(expected, written, strict=True))
