"""Models with weights that show every mistake, and what they compute before the softmax."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from tinysim.lab.prune.groups import Group


def randomised(model: keras.Model, seed: int = 0) -> keras.Model:
    """Give a model weights as after training: no offset is 0, and all layers let signals pass."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        for weight in layer.weights:
            name, shape = weight.path.rpartition("/")[2], weight.shape
            if name == "gamma":
                weight.assign(random.uniform(0.7, 1.3, shape))
            elif name.endswith("kernel"):
                inputs = np.prod(shape[:-1])
                weight.assign(random.normal(size=shape) * np.sqrt(2 / inputs))
            elif not name.startswith("moving_"):
                weight.assign(random.normal(size=shape) * 0.2)
    return _normalized(model)


def _normalized(model: keras.Model) -> keras.Model:
    """Let batch normalizations know what passes through them."""
    norms = [one for one in model.layers if isinstance(one, layers.BatchNormalization)]
    momenta = [one.momentum for one in norms]
    for one in norms:
        one.momentum = 0.0
    model(images(model.input_shape[1:], 16), training=True)
    for one, momentum in zip(norms, momenta, strict=True):
        one.momentum = momentum
    return model


def images(shape: tuple[int, ...], count: int = 4) -> NDArray[np.float32]:
    return np.random.default_rng(7).random((count, *shape), np.float32)


def outputs(model: keras.Model, x: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(keras.ops.convert_to_numpy(model(x, training=False)))


def logits(model: keras.Model, x: NDArray[Any]) -> NDArray[np.float32]:
    return outputs(keras.Model(model.input, model.get_layer("logits").output), x)


def drawn(groups: tuple[Group, ...], seed: int) -> dict[str, NDArray[np.int64]]:
    """Draw how many and which units stay of each group that may lose some: at least half of it."""
    random = np.random.default_rng(seed)
    return {
        group.name: random.permutation(group.size)[
            : random.integers(-(-group.size // 2), group.size + 1)
        ]
        for group in groups
        if not group.frozen
    }


def classifier(inputs: Any, x: Any) -> keras.Model:
    """End a model as those of the zoo end."""
    if len(x.shape) > 2:
        x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(3, name="logits")(x)
    return keras.Model(inputs, layers.Softmax(name="probabilities")(x))
