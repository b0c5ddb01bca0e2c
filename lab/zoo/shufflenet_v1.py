"""ShuffleNet v1: grouped convolutions, channels shuffled (Zhang et al., arXiv 1707.01083)."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from tinysim.errors import RecipeError
from tinysim.lab.zoo._blocks import activated, classifier, convolution, depthwise, scaled_width
from tinysim.lab.zoo.layers import channel_shuffle

#: Groups -> channels of stage 2, table 1; each later stage has twice as many.
_WIDTHS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
_STEM_WIDTH = 24
#: Of stages 2, 3 and 4, the first of stride 2.
_UNITS = (4, 8, 4)
#: Of a unit's channels, those in its middle.
_BOTTLENECK = 4


def build(
    input_shape: tuple[int, ...],
    class_count: int,
    *,
    g: int = 3,
    alpha: float = 1.0,
    stem_stride: int = 2,
) -> keras.Model:
    """Return the model: ``g`` groups a convolution, its width times ``alpha``.

    A ``stem_stride`` of 1 leaves more pixels of small images.
    """
    if g not in _WIDTHS:
        raise RecipeError(
            f"g is {g}", where="family 'shufflenet_v1'", fix=f"groups are one of {[*_WIDTHS]}"
        )
    inputs = keras.Input(input_shape, name="image")
    stem = scaled_width(_STEM_WIDTH, alpha, g)
    x = convolution(inputs, stem, 3, "conv_1", strides=stem_stride)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool_1")(x)
    width = scaled_width(_WIDTHS[g], alpha, _BOTTLENECK * g)
    for stage, units in enumerate(_UNITS, 2):
        for unit in range(units):
            name = f"stage_{stage}_unit_{unit + 1}"
            first_groups = 1 if (stage, unit) == (2, 0) else g
            x = _unit(x, width, g, first_groups, 1 if unit else 2, name)
        width *= 2
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return classifier(inputs, x, class_count, "shufflenet_v1")


def _unit(x: Any, width: int, groups: int, first_groups: int, strides: int, name: str) -> Any:
    """Narrow, shuffle, filter each channel, widen; add what came in, or put it beside.

    The very first convolution is not grouped, for there are few channels yet.
    """
    middle = width // _BOTTLENECK
    added = width - x.shape[-1] if strides > 1 else width
    y = convolution(x, middle, 1, f"{name}_narrow", groups=first_groups)
    if groups > 1:
        y = channel_shuffle(y, groups, f"{name}_shuffle")
    y = depthwise(y, 3, f"{name}_depthwise", strides=strides, activation=None)
    y = convolution(y, added, 1, f"{name}_widen", groups=groups, activation=None)
    if strides > 1:
        x = layers.AveragePooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
        y = layers.Concatenate(name=f"{name}_concat")([x, y])
    else:
        y = layers.Add(name=f"{name}_add")([x, y])
    return activated(y, "relu", f"{name}_relu")
