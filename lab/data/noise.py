"""Noise instead of images: for what a model costs, where its samples do not matter."""

from __future__ import annotations

import numpy as np

from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset

#: Quantization looks at so many.
_TRAIN, _TEST = 32, 1


def read(size: int = 96, channels: int = 3, classes: int = 2, seed: int = 0) -> Dataset:
    """Return square images of random pixels, which have no classes in truth."""
    if wrong := [
        f"{name} is {value}, not from {least} to {most}"
        for name, value, least, most in (
            ("size", size, 1, 1024),
            ("channels", channels, 1, 64),
            ("classes", classes, 2, 10_000),
        )
        if not least <= value <= most
    ]:
        raise RecipeError("; ".join(wrong), where="data noise", fix="mend the recipe")
    random = np.random.default_rng(seed)
    shape = (_TRAIN + _TEST, size, size, channels)
    x = random.integers(0, 256, shape, dtype=np.uint8)
    y = np.zeros(len(x), np.int64)
    return Dataset(
        "noise",
        *(x[:_TRAIN], y[:_TRAIN], x[_TRAIN:], y[_TRAIN:]),
        tuple(str(i) for i in range(classes)),
        "random numbers",
        is_labelled=False,
    )
