"""The idx files of MNIST and its likes: http://yann.lecun.com/exdb/mnist."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset
from tinysim.lab.data.checked import dataset_of

#: Array of a dataset -> name of its file.
FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
#: MNIST's larger file has 47 MB.
MOST_BYTES = 1 << 28
_UNSIGNED_BYTES = 8


def is_here(folder: Path) -> bool:
    """Return whether a folder has the four files, compressed or not."""
    return all(_file(folder, name) is not None for name in FILES.values())


def read(folder: Path, name: str = "", classes: tuple[str, ...] = ()) -> Dataset:
    """Read the four files of a folder."""
    contents = {}
    for array, file_name in FILES.items():
        path = _file(folder, file_name)
        if path is None:
            raise RecipeError(
                f"has no {file_name}", where=str(folder), fix=f"give {', '.join(FILES.values())}"
            )
        contents[array] = _content(path)
    return from_contents(contents, name or folder.name, str(folder), classes)


def from_contents(
    contents: Mapping[str, bytes],
    name: str,
    source: str,
    classes: tuple[str, ...] = (),
) -> Dataset:
    """Return a dataset from the content of a file for each of its arrays."""
    arrays = {array: parsed(contents[array], f"{source}: {FILES[array]}") for array in FILES}
    return dataset_of(name, arrays, source, classes)


def parsed(content: bytes, where: str) -> NDArray[np.uint8]:
    """Return the array of an idx file of bytes."""
    begins = content[:2] == b"\0\0" and len(content) >= 4
    kind, axes = (content[2], content[3]) if begins else (0, 0)
    start = 4 + 4 * axes
    whole = content[4 : min(start, len(content) // 4 * 4)]
    shape = tuple(int(n) for n in np.frombuffer(whole, ">u4"))
    if kind != _UNSIGNED_BYTES or len(shape) != axes or len(content) != start + prod(shape):
        raise RecipeError(
            "no whole idx file of bytes", where=where, fix="get it again: it may be cut off"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _file(folder: Path, name: str) -> Path | None:
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as raw:
            stream = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
            content = stream.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise RecipeError(
            f"cannot be read ({error})", where=str(path), fix="get it again"
        ) from error
    if len(content) > MOST_BYTES:
        raise RecipeError(
            f"has more than {MOST_BYTES} bytes", where=str(path), fix="give a smaller set"
        )
    return content
