"""Arrays from outside become a dataset: checked, and parted where they are not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset

TEST_SHARE = 0.2


def dataset_of(
    name: str, arrays: Mapping[str, NDArray[Any]], source: str, classes: tuple[str, ...] = ()
) -> Dataset:
    """Return ``x_train``, ``y_train``, ``x_test`` and ``y_test`` as a dataset.

    Images without channels get one. Classes without names are called by their indices.

    Raises
    ------
    RecipeError
        Naming everything that is wrong.
    """
    wrong = [*_wrong(arrays, "train"), *_wrong(arrays, "test")]
    x_train, x_test = arrays["x_train"], arrays["x_test"]
    if not wrong and x_train.shape[1:] != x_test.shape[1:]:
        wrong.append(f"x_train is {x_train.shape}, and x_test {x_test.shape}")
    if not wrong:
        count = 1 + max(int(arrays["y_train"].max()), int(arrays["y_test"].max()))
        classes = classes or tuple(map(str, range(count)))
        if count > len(classes):
            wrong.append(f"class {count - 1} has no name: there are {len(classes)}")
    if wrong:
        raise RecipeError(
            "; ".join(wrong),
            where=source,
            fix="give samples as uint8 or floats, and the index of each one's class",
        )
    return Dataset(
        name=name,
        x_train=_samples(x_train),
        y_train=arrays["y_train"].astype(np.int64).reshape(-1),
        x_test=_samples(x_test),
        y_test=arrays["y_test"].astype(np.int64).reshape(-1),
        classes=classes,
        source=source,
    )


def parted(
    x: NDArray[Any], y: NDArray[Any], test_share: float, seed: int
) -> dict[str, NDArray[Any]]:
    """Return samples in a new order, the same share of each class apart as test samples.

    A class of two samples or more has some in both parts.
    """
    if not 0 < test_share < 1:
        raise RecipeError(
            f"{test_share} of the samples are to be test samples",
            where="test_share",
            fix="give a share between 0 and 1",
        )
    random = np.random.default_rng(seed)
    is_test = np.zeros(len(y), bool)
    for one in np.unique(y):
        members = random.permutation(np.flatnonzero(y == one))
        count = min(max(1, round(len(members) * test_share)), len(members) - 1)
        is_test[members[:count]] = True
    order = random.permutation(len(y))
    train, test = order[~is_test[order]], order[is_test[order]]
    return {"x_train": x[train], "y_train": y[train], "x_test": x[test], "y_test": y[test]}


def _wrong(arrays: Mapping[str, NDArray[Any]], part: str) -> list[str]:
    x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
    found = []
    if x.dtype != np.uint8 and x.dtype.kind != "f":
        found.append(f"x_{part} is {x.dtype}")
    elif x.dtype.kind == "f" and not np.isfinite(x).all():
        found.append(f"x_{part} holds what is no number")
    if y.dtype.kind not in "iu" or y.size != len(y) or (y.size and int(y.min()) < 0):
        found.append(f"y_{part} is {y.dtype} {y.shape}, not one index a sample")
    if x.ndim < 2 or len(x) != len(y) or not len(x):
        found.append(f"x_{part} is {x.shape} and y_{part} {y.shape}, not one class a sample")
    return found


def _samples(x: NDArray[Any]) -> NDArray[Any]:
    x = x[..., None] if x.ndim == 3 else x
    return x if x.dtype == np.uint8 else x.astype(np.float32)
