"""Samples of a dataset in batches, in a new order each epoch, moved and mirrored if wanted."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tinysim.lab.data import Dataset, scaled

#: Of an image's height and width: how far it is moved at most.
_SHIFT_SHARE = 1 / 8


def batches(
    dataset: Dataset, indices: NDArray[np.int64], size: int, seed: int, augments: bool
) -> keras.utils.PyDataset:
    """Return samples of the training part as Keras takes them, ``size`` at a time."""
    return _Batches(dataset, indices, size, seed, augments)


class _Batches(keras.utils.PyDataset):  # type: ignore[misc, unused-ignore]
    """Batches that follow from the seed, the epoch and their index alone.

    Keras may ask for one twice, or ahead of its turn.
    """

    def __init__(
        self, dataset: Dataset, indices: NDArray[np.int64], size: int, seed: int, augments: bool
    ) -> None:
        super().__init__()
        self._dataset, self._size, self._seed, self._augments = dataset, size, seed, augments
        self._order, self._epoch = indices, 0

    def __len__(self) -> int:
        return -(-len(self._order) // self._size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        chosen = self._order[index * self._size : (index + 1) * self._size]
        x = scaled(self._dataset.x_train[chosen])
        if self._augments:
            x = crop_flip(x, np.random.default_rng((self._seed, self._epoch, index)))
        return x, self._dataset.y_train[chosen]

    def on_epoch_end(self) -> None:
        """Deal anew."""
        self._epoch += 1
        self._order = np.random.default_rng((self._seed, self._epoch)).permutation(self._order)


def crop_flip(x: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """Move each image by some pixels of its own, zeros behind it, and mirror half of them."""
    count, height, width = x.shape[:3]
    reach_y, reach_x = int(height * _SHIFT_SHARE), int(width * _SHIFT_SHARE)
    framed = np.pad(x, ((0, 0), (reach_y, reach_y), (reach_x, reach_x), (0, 0)))
    rows = random.integers(0, 2 * reach_y + 1, (count, 1)) + np.arange(height)
    columns = random.integers(0, 2 * reach_x + 1, (count, 1)) + np.arange(width)
    mirrored = random.random(count) < 0.5
    columns[mirrored] = columns[mirrored, ::-1]
    one = np.arange(count)[:, None, None]
    return np.ascontiguousarray(framed[one, rows[:, :, None], columns[:, None, :]])
