"""MobileNet v2: inverted residuals (Sandler et al., arXiv 1801.04381, table 2)."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from tinysim.lab.zoo._blocks import classifier, convolution, depthwise, rounded_width

#: Expansion, channels, repetitions and first stride of each row of the table.
_ROWS = (
    *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
    *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
)
_LAST_WIDTH = 1280


def build(
    input_shape: tuple[int, ...], class_count: int, *, alpha: float = 1.0, stem_stride: int = 2
) -> keras.Model:
    """Return the model, its width times ``alpha``; the last convolution gets wider only.

    A ``stem_stride`` of 1 leaves more pixels of small images.
    """
    inputs = keras.Input(input_shape, name="image")
    width = rounded_width(32 * alpha)
    x = convolution(inputs, width, 3, "conv_1", strides=stem_stride, activation="relu6")
    number = 0
    for expansion, width, repetitions, first_stride in _ROWS:
        for repetition in range(repetitions):
            number += 1
            strides = 1 if repetition else first_stride
            x = _block(x, expansion, rounded_width(width * alpha), strides, f"block_{number}")
    last = rounded_width(_LAST_WIDTH * max(alpha, 1.0))
    x = convolution(x, last, 1, "conv_2", activation="relu6")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return classifier(inputs, x, class_count, "mobilenet_v2")


def _block(x: Any, expansion: int, filters: int, strides: int, name: str) -> Any:
    """Widen, filter each channel, narrow; add what came in where the shapes agree."""
    y = x
    if expansion > 1:
        wide = x.shape[-1] * expansion
        y = convolution(x, wide, 1, f"{name}_expand", activation="relu6")
    y = depthwise(y, 3, f"{name}_depthwise", strides=strides, activation="relu6")
    y = convolution(y, filters, 1, f"{name}_project", activation=None)
    if strides > 1 or x.shape[-1] != filters:
        return y
    return layers.Add(name=f"{name}_add")([x, y])
