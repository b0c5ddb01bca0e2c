"""Options of TFLite operators as plain values: builtin tables and the maps of custom operators."""

from __future__ import annotations

import inspect
from typing import Any

import tflite
from flatbuffers import flexbuffers

from tinysim.compiler.ops import Options


def enum_names(enum: type) -> dict[int, str]:
    """Return the names of a generated enumeration by value."""
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


_OPTION_TABLES = enum_names(tflite.BuiltinOptions)
#: Option fields that are enumerations: shown to the operators by name.
_OPTION_ENUMS = {
    "Padding": enum_names(tflite.Padding),
    "FusedActivationFunction": enum_names(tflite.ActivationFunctionType),
    "Mode": enum_names(tflite.MirrorPadMode),
}

#: More options no custom operator here has; more bytes none of them takes.
MAX_CUSTOM_OPTIONS = 32
MAX_CUSTOM_BYTES = 4096


def read_options(table: Any) -> Options:
    """Return an operator's options as plain values by field name; enumerations by name.

    An absent table reads as one whose fields all have their defaults.
    """
    kind = _OPTION_TABLES.get(table.BuiltinOptionsType(), "NONE")
    if kind == "NONE" or (union := table.BuiltinOptions()) is None:
        return _Defaults()
    options = getattr(tflite, kind)()
    options.Init(union.Bytes, union.Pos)
    values: dict[str, Any] = {}
    for field, method in inspect.getmembers(type(options), inspect.isfunction):
        if field == "Init" or method.__code__.co_argcount != 1:
            continue
        value = method(options)
        names = _OPTION_ENUMS.get(field)
        values[field] = names.get(value, f"{field} {value}") if names else value
    return values


def read_custom_options(table: Any) -> Options:
    """Return a custom operator's options: a flat map of numbers and truth values by name.

    What is neither is left out: the operator then finds it missing. Nothing is read beyond the
    options' own bytes.
    """
    if not (length := table.CustomOptionsLength()):
        return {}
    if not 0 < length <= MAX_CUSTOM_BYTES:
        raise ValueError(f"custom options of {length} bytes")
    root = flexbuffers.GetRoot(bytearray(table.CustomOptionsAsNumpy().tobytes()))
    if not root.IsMap:
        raise ValueError("custom options are no map")
    found = root.AsMap
    keys, values = found.Keys, found.Values
    if not 0 <= len(keys) <= MAX_CUSTOM_OPTIONS or len(values) != len(keys):
        raise ValueError(f"{len(keys)} custom options")
    pairs = ((keys[i].AsKey, values[i]) for i in range(len(keys)))
    return {str(key): _number(value) for key, value in pairs if _is_number(value)}


def _is_number(value: Any) -> bool:
    return bool(value.IsBool or value.IsInt or value.IsFloat)


def _number(value: Any) -> bool | int | float:
    if value.IsBool:
        return bool(value.AsBool)
    return int(value.AsInt) if value.IsInt else float(value.AsFloat)


class _Defaults(dict[str, Any]):
    """Options of an operator that came without any: everything at TFLite's default."""

    _VALUES = {"FusedActivationFunction": "NONE", "Padding": "SAME", "Beta": 0.0}

    def __missing__(self, key: str) -> Any:
        return self._VALUES.get(key, 0)
