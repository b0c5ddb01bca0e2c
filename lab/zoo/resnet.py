"""The residual network of Deutel et al. for CIFAR-10 (study 001, table 1).

The table names four residual blocks, all of stride 1, and a dense layer of 25,088 inputs, but no
layer before the blocks. A convolution of 3x3 and stride 2 without padding brings 32x32 pixels to
15x15, and the pooling these to 7x7, of 512 channels: 25,088. The layers that are listed have 5.1
million parameters then; where the 9.4 million of the table's head come from, it does not say.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from tinysim.lab.zoo._blocks import activated, classifier, convolution, scaled_width

_WIDTHS = (64, 128, 256, 512)


def build(input_shape: tuple[int, ...], class_count: int, *, alpha: float = 1.0) -> keras.Model:
    """Return the model, its width times ``alpha``."""
    inputs = keras.Input(input_shape, name="image")
    first = scaled_width(_WIDTHS[0], alpha)
    x = convolution(inputs, first, 3, "conv_1", strides=2, padding="valid")
    for i, width in enumerate(_WIDTHS, 1):
        x = _block(x, scaled_width(width, alpha), f"block_{i}")
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    return classifier(inputs, x, class_count, "resnet")


def _block(x: Any, filters: int, name: str) -> Any:
    """Add two convolutions to what came in, or to a projection of it."""
    y = convolution(x, filters, 3, f"{name}_conv_1")
    y = convolution(y, filters, 3, f"{name}_conv_2", activation=None)
    if x.shape[-1] != filters:
        x = convolution(x, filters, 1, f"{name}_projection", activation=None)
    x = layers.Add(name=f"{name}_add")([y, x])
    return activated(x, "relu", f"{name}_relu")
