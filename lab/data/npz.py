"""Arrays that NumPy has saved: parted already, or to be parted."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset
from tinysim.lab.data.checked import TEST_SHARE, dataset_of, parted

_PARTED = ("x_train", "y_train", "x_test", "y_test")
_WHOLE = ("x", "y")
#: What is read at most: all of it lies in memory.
MOST_BYTES = 1 << 33


def read(path: Path, test_share: float = TEST_SHARE, seed: int = 0) -> Dataset:
    """Read ``x_train``, ``y_train``, ``x_test`` and ``y_test``, or part ``x`` and ``y``.

    ``classes``, names of the classes, and ``source`` may stand beside them.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(entry.file_size for entry in archive.infolist())
        if total > MOST_BYTES:
            raise ValueError(f"{total} bytes, more than {MOST_BYTES}")
        with np.load(path, allow_pickle=False) as archive:
            wanted = next((all_ for all_ in (_PARTED, _WHOLE) if set(all_) <= set(archive)), ())
            arrays = {name: archive[name] for name in wanted}
            classes = tuple(map(str, archive["classes"])) if "classes" in archive else ()
            source = str(archive["source"]) if "source" in archive else str(path)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise RecipeError(
            f"cannot be read ({error})", where=str(path), fix="write it with numpy.savez"
        ) from error
    if not arrays:
        raise RecipeError(
            "has neither x_train, y_train, x_test and y_test nor x and y",
            where=str(path),
            fix="write it with numpy.savez(path, x=samples, y=classes)",
        )
    if "x" in arrays:
        x, y = arrays["x"], arrays["y"]
        if y.size != len(x):
            raise RecipeError(
                f"x is {x.shape} and y {y.shape}", where=str(path), fix="give a class a sample"
            )
        arrays = parted(x, y.reshape(-1), test_share, seed)
    return dataset_of(path.stem, arrays, source, classes)
