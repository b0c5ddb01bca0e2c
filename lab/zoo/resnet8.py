"""The ResNet of MLPerf Tiny: three residual blocks (Banbury et al., arXiv 2106.07597)."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from tinysim.lab.zoo._blocks import activated, classifier, normalized, scaled_width


def build(input_shape: tuple[int, ...], class_count: int, *, alpha: float = 1.0) -> keras.Model:
    """Return the model: 78,666 parameters for CIFAR-10 and a width ``alpha`` of 1."""
    inputs = keras.Input(input_shape, name="image")
    x = _convolution(inputs, scaled_width(16, alpha), 3, 1, "conv_1")
    x = normalized(x, "conv_1", "relu")
    for i, (width, strides) in enumerate(((16, 1), (32, 2), (64, 2)), 1):
        x = _block(x, scaled_width(width, alpha), strides, f"block_{i}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return classifier(inputs, x, class_count, "resnet8")


def _block(x: Any, filters: int, strides: int, name: str) -> Any:
    """Add two convolutions to what came in, or to a projection of it, without normalization."""
    y = _convolution(x, filters, 3, strides, f"{name}_conv_1")
    y = normalized(y, f"{name}_conv_1", "relu")
    y = _convolution(y, filters, 3, 1, f"{name}_conv_2")
    y = normalized(y, f"{name}_conv_2", None)
    if strides > 1:
        x = _convolution(x, filters, 1, strides, f"{name}_projection")
    x = layers.Add(name=f"{name}_add")([y, x])
    return activated(x, "relu", f"{name}_relu")


def _convolution(x: Any, filters: int, size: int, strides: int, name: str) -> Any:
    """Convolve with a bias, as the reference model does even before a normalization."""
    return layers.Conv2D(
        filters, size, strides=strides, padding="same", kernel_initializer="he_normal", name=name
    )(x)
