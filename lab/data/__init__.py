"""Samples to train and judge models with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples and their classes, the training part apart from the test part.

    ``x_*`` have shape ``(samples, *input_shape)``: uint8 pixels as they are stored, or floats that
    models take as they are. ``y_*`` are indices into ``classes``. ``source`` says where all of it
    is from.
    """

    name: str
    x_train: NDArray[Any]
    y_train: NDArray[np.int64]
    x_test: NDArray[Any]
    y_test: NDArray[np.int64]
    classes: tuple[str, ...]
    source: str

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample: height, width, channels."""
        return tuple(self.x_train.shape[1:])

    def head(self, train: int, test: int) -> Dataset:
        """Return the same with the first samples of both parts only."""
        return replace(
            self,
            x_train=self.x_train[:train],
            y_train=self.y_train[:train],
            x_test=self.x_test[:test],
            y_test=self.y_test[:test],
        )


def scaled(x: NDArray[Any]) -> NDArray[np.float32]:
    """Return samples as models of the lab take them: pixels from 0 to 1, float32."""
    return x.astype(np.float32) / np.float32(255 if x.dtype == np.uint8 else 1)
