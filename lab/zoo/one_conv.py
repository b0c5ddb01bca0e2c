"""One convolution and a dense layer: what Pise compresses deeply (study 004, 5.1)."""

from __future__ import annotations

import keras
from keras import layers

from tinysim.lab.zoo._blocks import classifier, scaled_width


def build(input_shape: tuple[int, ...], class_count: int, *, alpha: float = 1.0) -> keras.Model:
    """Return the model: 20,410 parameters for MNIST and a width ``alpha`` of 1."""
    inputs = keras.Input(input_shape, name="image")
    x = layers.Conv2D(scaled_width(12, alpha), 3, activation="relu", name="conv_1")(inputs)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    return classifier(inputs, x, class_count, "one_conv")
