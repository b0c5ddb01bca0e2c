"""CIFAR-10 as its authors give it: https://www.cs.toronto.edu/~kriz/cifar.html.

The binary version only: the one for Python is made of pickles, and these can run code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset
from tinysim.lab.data.archives import TARS, members_of, names_of
from tinysim.lab.data.checked import dataset_of

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
_SHAPE = (3, 32, 32)
_RECORD_BYTES = 1 + 3 * 32 * 32
_MOST_BYTES = 10_000 * _RECORD_BYTES
#: CIFAR-10 has few files: a batch is among so many.
_FIRST = 10
_FIX = "give cifar-10-binary.tar.gz, or the folder that is in it"


def is_here(path: Path) -> bool:
    """Return whether a folder or archive has batches of CIFAR-10, of whatever version."""
    if path.is_dir():
        return any(_batch(one.name) for one in path.iterdir())
    return path.name.endswith(TARS) and any(map(_batch, islice(names_of(path), _FIRST)))


def read(path: Path) -> Dataset:
    """Read the five training batches, if they are all there, and the test batch."""
    found: dict[str, NDArray[np.uint8]] = {}
    for name, content in _files(path):
        batch = _batch(name)
        if batch is None:
            continue
        if not batch.endswith(".bin"):
            raise RecipeError(
                "is the version for Python, whose pickles are not opened", where=str(path), fix=_FIX
            )
        if not content or len(content) % _RECORD_BYTES:
            raise RecipeError(f"{batch} is cut off", where=str(path), fix="get it again")
        found[batch] = np.frombuffer(content, np.uint8).reshape(-1, _RECORD_BYTES)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)]
    if missing := [name for name in (*names, "test_batch.bin") if name not in found]:
        raise RecipeError(f"has no {', '.join(missing)}", where=str(path), fix=_FIX)
    train, test = np.concatenate([found[name] for name in names]), found["test_batch.bin"]
    arrays = {
        "x_train": _pixels(train),
        "y_train": train[:, 0],
        "x_test": _pixels(test),
        "y_test": test[:, 0],
    }
    return dataset_of("cifar10", arrays, str(path), CLASSES)


def _batch(name: str) -> str | None:
    """Return the name of a batch's file, without its folder."""
    found = re.search(r"(?:^|/)((?:data_batch_[1-5]|test_batch)(?:\.bin)?)$", name)
    return found and found[1]


def _pixels(records: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images, channels last: the file has all red ones first."""
    images = records[:, 1:].reshape(-1, *_SHAPE)
    return np.ascontiguousarray(np.moveaxis(images, 1, -1))


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        yield from (
            (one.name, one.read_bytes() if one.suffix == ".bin" else b"")
            for one in sorted(path.iterdir())
            if one.is_file() and one.stat().st_size <= _MOST_BYTES
        )
    else:
        yield from members_of(path, lambda name: _batch(name) is not None, _MOST_BYTES)
