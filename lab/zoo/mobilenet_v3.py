"""MobileNet v3, the small one (Howard et al., arXiv 1905.02244, table 2)."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import layers

from tinysim.lab.zoo._blocks import (
    activated,
    classifier,
    convolution,
    depthwise,
    hard_sigmoid,
    rounded_width,
)


class _Row(NamedTuple):
    """A block: size of its kernel, how much it widens, and what it ends with."""

    kernel_size: int
    expansion: float
    width: int
    squeezes: bool
    activation: str
    strides: int


_ROWS = (
    _Row(3, 1, 16, True, "relu", 2),
    _Row(3, 72 / 16, 24, False, "relu", 2),
    _Row(3, 88 / 24, 24, False, "relu", 1),
    _Row(5, 4, 40, True, "hard_swish", 2),
    _Row(5, 6, 40, True, "hard_swish", 1),
    _Row(5, 6, 40, True, "hard_swish", 1),
    _Row(5, 3, 48, True, "hard_swish", 1),
    _Row(5, 3, 48, True, "hard_swish", 1),
    _Row(5, 6, 96, True, "hard_swish", 2),
    _Row(5, 6, 96, True, "hard_swish", 1),
    _Row(5, 6, 96, True, "hard_swish", 1),
)
_LAST_WIDTH = 1024


def build(
    input_shape: tuple[int, ...],
    class_count: int,
    *,
    alpha: float = 1.0,
    squeeze_excite: bool = True,
    stem_stride: int = 2,
) -> keras.Model:
    """Return the model, its width times ``alpha``; the last layer but one gets wider only.

    Without ``squeeze_excite`` no block weighs its channels by what is in all of the image. A
    ``stem_stride`` of 1 leaves more pixels of small images.
    """
    inputs = keras.Input(input_shape, name="image")
    x = convolution(inputs, 16, 3, "conv_1", strides=stem_stride, activation="hard_swish")
    for i, row in enumerate(_ROWS, 1):
        row = row._replace(
            width=rounded_width(row.width * alpha), squeezes=row.squeezes and squeeze_excite
        )
        x = _block(x, row, f"block_{i}")
    width = rounded_width(x.shape[-1] * 6)
    x = convolution(x, width, 1, "conv_2", activation="hard_swish")
    x = layers.GlobalAveragePooling2D(keepdims=True, name="pool")(x)
    last = rounded_width(_LAST_WIDTH * max(alpha, 1.0))
    x = layers.Conv2D(last, 1, name="conv_3")(x)
    x = activated(x, "hard_swish", "conv_3_hard_swish")
    x = layers.Flatten(name="flatten")(x)
    return classifier(inputs, x, class_count, "mobilenet_v3")


def _block(x: Any, row: _Row, name: str) -> Any:
    """Widen, filter each channel, weigh the channels, narrow; add what came in if it fits."""
    wide = rounded_width(x.shape[-1] * row.expansion)
    y = x
    if row.expansion > 1:
        y = convolution(x, wide, 1, f"{name}_expand", activation=row.activation)
    y = depthwise(
        y, row.kernel_size, f"{name}_depthwise", strides=row.strides, activation=row.activation
    )
    if row.squeezes:
        y = _squeeze_excite(y, f"{name}_squeeze")
    y = convolution(y, row.width, 1, f"{name}_project", activation=None)
    if row.strides > 1 or x.shape[-1] != row.width:
        return y
    return layers.Add(name=f"{name}_add")([x, y])


def _squeeze_excite(x: Any, name: str) -> Any:
    """Weigh each channel by a number that the means of all channels decide."""
    width = x.shape[-1]
    y = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_pool")(x)
    y = layers.Conv2D(rounded_width(width / 4), 1, activation="relu", name=f"{name}_narrow")(y)
    y = layers.Conv2D(width, 1, name=f"{name}_widen")(y)
    return layers.Multiply(name=f"{name}_weigh")([x, hard_sigmoid(y, name)])
