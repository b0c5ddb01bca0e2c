"""Frozen dataclasses as JSON and back: what is read is checked against the annotations.

Fields are plain values, bytes, tuples, mappings from text, dataclasses, or None instead of one.
"""

from __future__ import annotations

import base64
import json
import types
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Record = TypeVar("Record")


def dumps(record: Any) -> bytes:
    """Return a dataclass as a line of JSON."""
    return json.dumps(asdict(record), default=_text).encode() + b"\n"


def loads(kind: type[Record], text: bytes) -> Record:
    """Return what ``dumps`` was given.

    Raises
    ------
    ValueError
        If the text is no such record.
    """
    try:
        return cast(Record, _value(kind, json.loads(text)))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _text(value: Any) -> str:
    """Return bytes, which JSON has not, as text."""
    return base64.b64encode(value).decode()


def _value(kind: Any, data: Any) -> Any:
    """Return ``data`` as the type that an annotation names."""
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _record(kind, data)
    if origin in (Union, types.UnionType):  # none of ours has more than one type besides None
        (kind,) = (one for one in arguments if one is not type(None))
        return None if data is None else _value(kind, data)
    if origin is tuple and type(data) is list:
        kinds = arguments[:1] * len(data) if arguments[1:] == (...,) else arguments
        return tuple(_value(one, item) for one, item in zip(kinds, data, strict=True))
    if origin is Mapping and type(data) is dict:
        return {name: _value(arguments[1], item) for name, item in data.items()}
    if kind is bytes and type(data) is str:
        return base64.b64decode(data, validate=True)
    if type(data) is not kind:
        raise ValueError(f"{data!r:.40} is no {kind}")
    return data


def _record(kind: Any, data: Any) -> Any:
    if type(data) is not dict or data.keys() != {field.name for field in fields(kind)}:
        raise ValueError(f"no {kind.__name__}")
    return kind(**{name: _value(one, data[name]) for name, one in _hints(kind).items()})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)
