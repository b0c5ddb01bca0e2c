"""MobileNet v1: depthwise separable convolutions (Howard et al., arXiv 1704.04861, table 1)."""

from __future__ import annotations

import keras
from keras import layers

from tinysim.lab.zoo._blocks import classifier, convolution, depthwise, scaled_width

#: Channels and stride of each block.
_BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)


def build(
    input_shape: tuple[int, ...], class_count: int, *, alpha: float = 1.0, stem_stride: int = 2
) -> keras.Model:
    """Return the model, its width times ``alpha``.

    A ``stem_stride`` of 1 leaves more pixels of small images.
    """
    inputs = keras.Input(input_shape, name="image")
    x = convolution(inputs, scaled_width(32, alpha), 3, "conv_1", strides=stem_stride)
    for i, (width, strides) in enumerate(_BLOCKS, 1):
        x = depthwise(x, 3, f"block_{i}_depthwise", strides=strides)
        x = convolution(x, scaled_width(width, alpha), 1, f"block_{i}_pointwise")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return classifier(inputs, x, class_count, "mobilenet_v1")
