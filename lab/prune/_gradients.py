"""How much the loss would change, to first order, were a weight not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinysim.lab.data import Dataset, scaled

if TYPE_CHECKING:
    import keras

_BATCH_SIZE = 32
_BATCH_COUNT = 8


def batches(dataset: Dataset, seed: int) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Yield a few batches of training samples as a model takes them, drawn by the seed."""
    count = min(_BATCH_SIZE * _BATCH_COUNT, len(dataset.x_train))
    drawn = np.random.default_rng(seed).choice(len(dataset.x_train), count, replace=False)
    for start in range(0, count, _BATCH_SIZE):
        some = drawn[start : start + _BATCH_SIZE]
        yield scaled(dataset.x_train[some]), dataset.y_train[some]


def loss_shares(model: keras.Model, dataset: Dataset, seed: int) -> dict[str, NDArray[np.float64]]:
    """Return ``|w * dL/dw|`` of each weight, the mean over a few batches.

    L is the cross-entropy of the model's probabilities, batch normalization as in inference.

    Returns
    -------
    dict
        Path of a trainable variable -> numbers of its shape.
    """
    import keras
    import tensorflow as tf

    loss_of = keras.losses.SparseCategoricalCrossentropy()
    variables = [variable.value for variable in model.trainable_variables]
    sums: list[Any] = [np.zeros(variable.shape) for variable in variables]
    count = 0
    for x, y in batches(dataset, seed):
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=False))
        gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
        for total, variable, gradient in zip(sums, variables, gradients, strict=True):
            total += np.abs(variable.numpy() * tf.convert_to_tensor(gradient).numpy())
        count += 1
    paths = (variable.path for variable in model.trainable_variables)
    return {path: total / count for path, total in zip(paths, sums, strict=True)}
