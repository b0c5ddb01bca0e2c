"""What was computed once, kept from one run to the next in the user's cache folder.

A file an entry, named by a hash of everything that its content depends on: it is never out of date,
only no longer asked for. Entries are written whole or not at all and carry a digest, so that
whatever was killed, runs at the same time or rots on the disk, an entry is either what was written
or as good as absent. What was used longest ago is taken away. Without a folder that can be written
nothing is kept, and everything works.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tinysim import __version__

#: Libraries that read models, or compute with what was read.
_LIBRARIES = (
    *("ai-edge-quantizer", "flatbuffers", "h5py", "jinja2", "keras", "numpy", "onnx"),
    *("onnxscript", "optuna", "ortools", "tensorflow", "tflite", "torch", "unicorn"),
)
_SUFFIXES = (".py", ".toml", ".h", ".c", ".j2", ".so")
_PART = ".part-"
#: No entry takes that long to write: whoever began it was killed.
_ABANDONED_S = 600.0
_DIGEST_BYTES = hashlib.sha256().digest_size


def key_of(parts: Sequence[str], *values: object) -> str:
    """Return a hash of values, by what ``repr`` says of them, and of the code that uses them.

    The code is that of libraries, too, by their versions.

    Parameters
    ----------
    parts
        Modules and folders of tinysim that decide what follows from the values.
    values
        Whatever the entry depends on besides.
    """
    code = (__version__, _versions(), *((part, _sources(part)) for part in parts))
    return hashlib.sha256(repr((code, values)).encode()).hexdigest()


@dataclass(frozen=True)
class Cache:
    """A folder of entries; neither their number nor their bytes, all together, get larger."""

    name: str
    most_entries: int
    most_bytes: int

    @property
    def folder(self) -> Path | None:
        """Where entries lie, or None if the user has no home."""
        base = os.environ.get("XDG_CACHE_HOME", "")
        if Path(base).is_absolute():
            return Path(base) / "tinysim" / self.name
        try:
            return Path.home() / ".cache" / "tinysim" / self.name
        except RuntimeError:
            return None

    def read(self, key: str) -> bytes | None:
        """Return what was written, or None."""
        if self.folder is None:
            return None
        path = self.folder / key
        try:
            with path.open("rb") as stream:
                held = stream.read(self.most_bytes + 1)
        except OSError:
            return None
        content = held[_DIGEST_BYTES:]
        if held[:_DIGEST_BYTES] != _digest(key, content):
            return None
        with suppress(OSError):  # the folder may be somebody else's, to be read only
            os.utime(path)
        return content

    def write(self, key: str, content: bytes) -> None:
        """Keep an entry, if that can be done."""
        folder = self.folder
        if folder is None or len(content) + _DIGEST_BYTES > self.most_bytes:
            return
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=folder, prefix=_PART)
            part = Path(name)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(_digest(key, content) + content)
                part.replace(folder / key)
            finally:
                part.unlink(missing_ok=True)
            self._trim(folder)

    def _trim(self, folder: Path) -> None:
        """Remove the remains of runs that were killed, and what was used longest ago."""
        found = []
        for entry in os.scandir(folder):
            with suppress(OSError):  # another run may have been here
                state = entry.stat()
                found.append((state.st_mtime_ns, entry.path, state.st_size))
        entries = total = 0
        abandoned_ns = time.time_ns() - int(_ABANDONED_S * 1e9)
        for used_ns, path, size in sorted(found, reverse=True):
            entries, total = entries + 1, total + size
            is_remains = Path(path).name.startswith(_PART) and used_ns < abandoned_ns
            if is_remains or entries > self.most_entries or total > self.most_bytes:
                with suppress(OSError):
                    Path(path).unlink()


def _digest(key: str, content: bytes) -> bytes:
    """Return a hash of an entry under its name: one that was renamed is damaged, too."""
    return hashlib.sha256(key.encode() + b"\0" + content).digest()


@cache
def _sources(part: str) -> str:
    """Return a hash of the files of a part: a checkout changes, its version not."""
    main = Path(str(import_module(f"tinysim.{part}").__file__))
    place = main.parent
    files = sorted(place.rglob("*")) if main.name == "__init__.py" else [main]
    digest = hashlib.sha256()
    for path in files:
        if path.suffix in _SUFFIXES:
            digest.update(f"{path.relative_to(place)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _versions() -> tuple[str, ...]:
    """Return the versions of the libraries that are installed."""
    found = []
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return tuple(found)
