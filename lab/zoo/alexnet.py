"""AlexNet as Deutel et al. have it for CIFAR-10 (study 001, table 1)."""

from __future__ import annotations

import keras
from keras import layers

from tinysim.lab.zoo._blocks import classifier, convolution, scaled_width

#: Filters, size of the kernel and stride of each convolution.
_CONVOLUTIONS = ((64, 2, 2), (192, 3, 1), (384, 3, 1), (256, 3, 1))


def build(input_shape: tuple[int, ...], class_count: int, *, alpha: float = 1.0) -> keras.Model:
    """Return the model: 44.7 million parameters for CIFAR-10 and a width ``alpha`` of 1.

    Nothing is padded: only so do 6,400 numbers reach the dense layers, as the table says.
    """
    inputs = x = keras.Input(input_shape, name="image")
    for i, (width, size, strides) in enumerate(_CONVOLUTIONS, 1):
        filters = scaled_width(width, alpha)
        x = convolution(x, filters, size, f"conv_{i}", strides=strides, padding="valid")
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    for i in (1, 2):
        x = layers.Dense(scaled_width(4096, alpha), activation="relu", name=f"dense_{i}")(x)
    return classifier(inputs, x, class_count, "alexnet")
