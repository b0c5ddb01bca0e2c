"""LeNet as Deutel et al. have it: two convolutions and two dense layers (study 001, table 1)."""

from __future__ import annotations

import keras
from keras import layers

from tinysim.lab.zoo._blocks import classifier, scaled_width


def build(input_shape: tuple[int, ...], class_count: int, *, alpha: float = 1.0) -> keras.Model:
    """Return the model: 1.2 million parameters for MNIST and a width ``alpha`` of 1."""
    inputs = x = keras.Input(input_shape, name="image")
    for i, width in enumerate((32, 64), 1):
        filters = scaled_width(width, alpha)
        x = layers.Conv2D(filters, 3, activation="relu", name=f"conv_{i}")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(scaled_width(128, alpha), activation="relu", name="dense_1")(x)
    return classifier(inputs, x, class_count, "lenet")
