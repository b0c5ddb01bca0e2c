"""What a stage has made, kept so that it need not be made again.

A stage's folder has a ``state.json``, written when all else is there: with the key of everything
that the state follows from, and a digest of each of its files. Whoever is killed before leaves a
folder without one, or with that of an earlier recipe, and the stage is done anew.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from tinysim import lab
from tinysim.cache import key_of
from tinysim.lab.model_files import written_whole
from tinysim.lab.state import State
from tinysim.records import dumps, loads

FILE_NAME = "state.json"
#: The parts of tinysim that stages compute with, and those that are added by a board.
PARTS = (
    "arrays",
    *(f"lab.{module.name}" for module in iter_modules(lab.__path__) if module.name != "report"),
)
BOARD_PARTS = (
    *("api", "boards", "budget", "compiler", "kernels", "simulator", "traces", "tune"),
    *PARTS,
)


@dataclass(frozen=True)
class _File:
    """A file of a state, from the folder of its stage: a stage may hand on an earlier one's."""

    path: str
    sha256: str


@dataclass(frozen=True)
class _Stored:
    """What is in a ``state.json``."""

    key: str
    seconds: float
    keras: _File | None
    tflite: _File | None
    masks: _File | None
    notes: Mapping[str, str]
    choices: Mapping[str, str]


def save_state(folder: Path, key: str, seconds: float, state: State) -> None:
    """Note that a stage's folder is whole, and how long it took."""
    stored = _Stored(
        key,
        seconds,
        keras=_file(state.keras, folder),
        tflite=_file(state.tflite, folder),
        masks=_file(state.masks, folder),
        notes=state.notes,
        choices=state.choices,
    )
    with written_whole(folder / FILE_NAME) as part:
        part.write_bytes(dumps(stored))


def load_state(folder: Path, key: str) -> tuple[State, float] | None:
    """Return a state and how long it took, or None unless it is whole and follows from ``key``."""
    try:
        stored = loads(_Stored, (folder / FILE_NAME).read_bytes())
    except (OSError, ValueError):
        return None
    files = [file for file in (stored.keras, stored.tflite, stored.masks) if file is not None]
    if stored.key != key or any(digest_of(folder / one.path) != one.sha256 for one in files):
        return None
    keras, tflite, masks = (
        None if file is None else Path(os.path.normpath(folder / file.path))
        for file in (stored.keras, stored.tflite, stored.masks)
    )
    return State(keras, tflite, masks, dict(stored.notes), dict(stored.choices)), stored.seconds


def key_from(state: State | None, *values: object, has_boards: bool) -> str:
    """Return a key of a state's files and of all else that something follows from.

    What does not have boards to do with does not follow from how these are simulated.
    """
    files = () if state is None else (state.keras, state.tflite, state.masks)
    choices = {} if state is None else state.choices
    parts = BOARD_PARTS if has_boards else PARTS
    return key_of(parts, [said(file) for file in files], said(choices), *map(said, values))


def said(value: Any) -> object:
    """Return a value with files in place of their paths: where a recipe lies does not matter."""
    if isinstance(value, Path):
        return digest_of(value)
    if hasattr(value, "__dataclass_fields__"):
        parts = [(field.name, said(getattr(value, field.name))) for field in fields(value)]
        return (type(value).__qualname__, parts)
    if isinstance(value, tuple | list):
        return [said(one) for one in value]
    if isinstance(value, Mapping):
        return [(key, said(value[key])) for key in sorted(value)]
    return value


def digest_of(path: Path) -> str:
    """Return the hash of a file, or of all that is in a folder; empty if there is none."""
    digest = hashlib.sha256()
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    found = False
    for file in files:
        with suppress(OSError), file.open("rb") as stream:
            digest.update(f"{file.relative_to(path)}\0{file.stat().st_size}\0".encode())
            digest.update(hashlib.file_digest(stream, "sha256").digest())
            found = True
    return digest.hexdigest() if found else ""


def _file(path: Path | None, folder: Path) -> _File | None:
    if path is None:
        return None
    return _File(os.path.relpath(path, folder), digest_of(path))
