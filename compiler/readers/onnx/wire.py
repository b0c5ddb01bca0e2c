"""A look at protobuf bytes before they are parsed: what they unfold to must be bounded.

A parsed message takes about a hundred bytes however few it takes in the file, so a small file of
empty messages would fill the memory.
"""

from __future__ import annotations

from typing import Any

#: More messages than any model for a microcontroller holds.
MAX_MESSAGES = 200_000
MAX_DEPTH = 16

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def check_messages(blob: bytes, descriptor: Any) -> None:
    """Raise ``ValueError`` if ``blob``, a message of type ``descriptor``, holds too many others."""
    left = MAX_MESSAGES
    pending = [(memoryview(blob), descriptor, 0)]
    while pending:
        view, kind, depth = pending.pop()
        for number, part in _parts(view):
            left -= 1
            if left < 0:
                raise ValueError(f"more than {MAX_MESSAGES:,} fields")
            field = kind.fields_by_number.get(number)
            if part is None or field is None or field.message_type is None:
                continue
            if depth == MAX_DEPTH:
                raise ValueError(f"messages nested more than {MAX_DEPTH} deep")
            pending.append((part, field.message_type, depth + 1))


def _parts(view: memoryview) -> Any:
    """Yield the number of each field, and its bytes if it is of a type that has a length."""
    at = 0
    while at < len(view):
        tag, at = _varint(view, at)
        kind, length = tag & 7, 0
        if kind == _VARINT:
            _, at = _varint(view, at)
        elif kind == _BYTES:
            length, at = _varint(view, at)
        elif kind in (_FIXED32, _FIXED64):
            at += 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind}")
        if at + length > len(view):
            raise ValueError("cut off")
        yield tag >> 3, view[at : at + length] if kind == _BYTES else None
        at += length


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """Return a number of 7 bits a byte, and where it ends."""
    value = 0
    for place in range(10):
        if at + place >= len(view):
            break
        byte = view[at + place]
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value, at + place + 1
    raise ValueError("a number is cut off")
