"""Models that are not trained, with values of the size that trained ones have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras


def settle(model: keras.Model, samples: NDArray[np.float32]) -> None:
    """Have batch normalization take the mean and variance of samples, in place.

    With those that it begins with, values get smaller from layer to layer, until no integers are
    left for them.
    """
    from keras.layers import BatchNormalization

    found = [layer for layer in model.layers if isinstance(layer, BatchNormalization)]
    usual = [layer.momentum for layer in found]
    for layer in found:
        layer.momentum = 0.0
    model(samples, training=True)
    for layer, momentum in zip(found, usual, strict=True):
        layer.momentum = momentum
