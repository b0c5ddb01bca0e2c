"""ShuffleNet v2: half of the channels pass, then all are shuffled (Ma et al., arXiv 1807.11164)."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from tinysim.lab.zoo._blocks import classifier, convolution, depthwise, scaled_width
from tinysim.lab.zoo.layers import ChannelSplit, channel_shuffle

#: Width factor -> channels of stage 2 as table 5 has them; each later stage has twice as many.
_WIDTHS = {0.5: 48, 1.0: 116, 1.5: 176, 2.0: 244}
_STEM_WIDTH = 24
_LAST_WIDTH = 1024
#: Of stages 2, 3 and 4, the first of stride 2.
_UNITS = (4, 8, 4)


def build(
    input_shape: tuple[int, ...], class_count: int, *, alpha: float = 1.0, stem_stride: int = 2
) -> keras.Model:
    """Return the model, its width times ``alpha``; the last convolution is wider from 2 on.

    A ``stem_stride`` of 1 leaves more pixels of small images.
    """
    inputs = keras.Input(input_shape, name="image")
    x = convolution(inputs, _STEM_WIDTH, 3, "conv_1", strides=stem_stride)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool_1")(x)
    width = _WIDTHS.get(alpha) or scaled_width(_WIDTHS[1.0], alpha, 2)
    for stage, units in enumerate(_UNITS, 2):
        for unit in range(units):
            name = f"stage_{stage}_unit_{unit + 1}"
            x = _unit(x, width // 2, name) if unit else _first_unit(x, width // 2, name)
            x = channel_shuffle(x, 2, f"{name}_shuffle")
        width *= 2
    x = convolution(x, _LAST_WIDTH * (2 if alpha >= 2 else 1), 1, "conv_2")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return classifier(inputs, x, class_count, "shufflenet_v2")


def _unit(x: Any, half: int, name: str) -> Any:
    """Let the first half of the channels pass and convolve the other."""
    passed, x = ChannelSplit((half, half), name=f"{name}_split")(x)
    return layers.Concatenate(name=f"{name}_concat")([passed, _branch(x, half, 1, name)])


def _first_unit(x: Any, half: int, name: str) -> Any:
    """Convolve everything twice, each time to half of the channels and of the height and width."""
    left = depthwise(x, 3, f"{name}_left_depthwise", strides=2, activation=None)
    left = convolution(left, half, 1, f"{name}_left_pointwise")
    return layers.Concatenate(name=f"{name}_concat")([left, _branch(x, half, 2, name)])


def _branch(x: Any, filters: int, strides: int, name: str) -> Any:
    x = convolution(x, filters, 1, f"{name}_pointwise_1")
    x = depthwise(x, 3, f"{name}_depthwise", strides=strides, activation=None)
    return convolution(x, filters, 1, f"{name}_pointwise_2")
