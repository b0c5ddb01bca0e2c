"""Two convolutions of stride 2: Pise's teacher, and thinner his student (study 004, 5.2)."""

from __future__ import annotations

import keras
from keras import layers

from tinysim.lab.zoo._blocks import classifier, scaled_width


def build(input_shape: tuple[int, ...], class_count: int, *, alpha: float = 1.0) -> keras.Model:
    """Return the model: 776,970 parameters for MNIST as the teacher, with a width ``alpha`` of 1.

    An ``alpha`` of 1/16 is the student, of 17,850.
    """
    inputs = keras.Input(input_shape, name="image")
    x = layers.Conv2D(scaled_width(256, alpha), 2, strides=2, padding="same", name="conv_1")(inputs)
    x = layers.LeakyReLU(negative_slope=0.2, name="conv_1_leaky_relu")(x)
    x = layers.MaxPooling2D(2, strides=1, padding="same", name="pool")(x)
    x = layers.Conv2D(scaled_width(512, alpha), 2, strides=2, padding="same", name="conv_2")(x)
    x = layers.Flatten(name="flatten")(x)
    return classifier(inputs, x, class_count, "two_conv")
