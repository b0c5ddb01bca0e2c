"""What tuning found, kept from one run to the next in the user's cache folder.

One small JSON file an entry, named by a hash of everything that the answer depends on: it is never
out of date, only no longer asked for. Entries are written whole or not at all, the oldest are taken
away, and what cannot be read or makes no sense is as good as absent. Without a folder that can be
written nothing is kept, and everything works.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from tinysim import __version__
from tinysim.boards import Board
from tinysim.compiler import Choices
from tinysim.compiler.toolchain import compiler_version
from tinysim.simulator.cores import Core
from tinysim.simulator.tuning import TunedLayer, Tuning

#: Entries that are kept, and the size that none of them reaches.
MOST_ENTRIES = 500
MOST_BYTES = 200_000
#: Grows when the same inputs lead to another answer.
_FORMAT = 1
#: Parts whose files decide what is generated and what it costs.
_PARTS = ("boards", "compiler", "kernels", "simulator", "tune")
_SUFFIXES = (".py", ".toml", ".h", ".c", ".j2", ".so")


def key_of(
    model_sha256: str,
    board: Board,
    core: Core,
    choices: Choices,
    others: Sequence[tuple[str, ...]],
    fidelity: int | None,
) -> str:
    """Return a hash of all that the fastest kernels depend on."""
    parts = (
        *(_FORMAT, __version__, _sources(), compiler_version()),
        *(model_sha256, repr(board), core.sha256, repr(choices), tuple(others), fidelity),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def folder() -> Path | None:
    """Return where entries lie, or None if the user has no home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if Path(base).is_absolute():
        return Path(base) / "tinysim" / "tuning"
    try:
        return Path.home() / ".cache" / "tinysim" / "tuning"
    except RuntimeError:
        return None


class Cache:
    """One entry of the cache."""

    def __init__(self, key: str) -> None:
        place = folder()
        self._path = None if place is None else place / f"{key}.json"

    def read(self, others: Sequence[tuple[str, ...]]) -> Tuning | None:
        """Return the entry if it is there and its candidates are among ``others``, by node."""
        if self._path is None:
            return None
        try:
            with self._path.open("rb") as stream:
                found = _parse(stream.read(MOST_BYTES), others)
            os.utime(self._path)  # the oldest go first
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        return found

    def write(self, tuning: Tuning) -> None:
        """Keep an entry, if that can be done."""
        if self._path is None:
            return
        text = json.dumps(asdict(tuning)).encode()
        if len(text) >= MOST_BYTES:
            return
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".part-")
            part = Path(name)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(text)
                part.replace(self._path)
            finally:
                part.unlink(missing_ok=True)
            _trim(self._path.parent)


def _parse(text: bytes, others: Sequence[tuple[str, ...]]) -> Tuning:
    """Read an entry; ``ValueError`` or the like if it is none."""
    data = json.loads(text)
    tuning = Tuning(**data)
    layers = tuple(TunedLayer(**layer) for layer in data["layers"])
    for layer in layers:
        if layer.kernel not in others[_count(layer.index, len(others))]:
            raise ValueError("no candidate of this layer")
        _count(layer.cycles), _count(layer.rule_cycles)
    _count(tuning.trials), _count(tuning.cycles), _count(tuning.rule_cycles)
    return replace(tuning, layers=layers)


def _count(value: Any, end: int = 2**63) -> int:
    if type(value) is not int or not 0 <= value < end:
        raise ValueError("no count")
    return value


def _trim(place: Path) -> None:
    """Remove the entries, and remains of runs that were killed, that were used longest ago."""
    ages = []
    for path in place.iterdir():
        with suppress(OSError):  # another run may have been here
            ages.append((path.stat().st_mtime, path))
    for _, path in sorted(ages)[:-MOST_ENTRIES]:
        with suppress(OSError):
            path.unlink()


@cache
def _sources() -> str:
    """Return a hash of the files that make and time code: a checkout changes, its version not."""
    digest = hashlib.sha256()
    for part in _PARTS:
        place = Path(str(import_module(f"tinysim.{part}").__file__)).parent
        for path in sorted(place.rglob("*")):
            if path.suffix in _SUFFIXES:
                digest.update(f"{path.relative_to(place)}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()
