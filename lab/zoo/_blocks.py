"""What the families have in common: a convolution with its normalization, and the end."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

#: Share of the past that averages of normalizations keep at a step. Keras's 0.99 wants hundreds of
#: steps, which training between steps of pruning does not have; PyTorch, as Deutel et al., has 0.9.
NORM_MOMENTUM = 0.9


def scaled_width(width: int, alpha: float, multiple: int = 1) -> int:
    """Return a number of channels times a factor, down to a multiple of something, never none."""
    return max(multiple, int(width * alpha / multiple) * multiple)


def rounded_width(width: float) -> int:
    """Return a number of channels as a multiple of 8 that is not below nine tenths of it.

    So MobileNets v2 and v3 round.
    """
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


def convolution(
    x: Any,
    filters: int,
    kernel_size: int,
    name: str,
    *,
    strides: int = 1,
    padding: str = "same",
    groups: int = 1,
    activation: str | None = "relu",
) -> Any:
    """Convolve, normalize and, unless told not to, rectify.

    The normalization's offset stands for the bias.
    """
    x = layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding=padding,
        groups=groups,
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    return normalized(x, name, activation)


def depthwise(
    x: Any, kernel_size: int, name: str, *, strides: int = 1, activation: str | None = "relu"
) -> Any:
    """Convolve each channel for itself, normalize and, unless told not to, rectify."""
    x = layers.DepthwiseConv2D(
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer="he_normal",
        name=name,
    )(x)
    return normalized(x, name, activation)


def normalized(x: Any, name: str, activation: str | None) -> Any:
    """Normalize what layer ``name`` has computed, then activate it."""
    x = layers.BatchNormalization(momentum=NORM_MOMENTUM, name=f"{name}_norm")(x)
    return x if activation is None else activated(x, activation, f"{name}_{activation}")


def activated(x: Any, kind: str, name: str) -> Any:
    """Apply ``relu``, ``relu6`` or ``hard_swish``, as built-in layers that converters know."""
    if kind == "relu":
        return layers.ReLU(name=name)(x)
    if kind == "relu6":
        return layers.ReLU(6.0, name=name)(x)
    return layers.Multiply(name=name)([x, hard_sigmoid(x, name)])


def hard_sigmoid(x: Any, name: str) -> Any:
    """Return ``relu6(x + 3) / 6``: what is called a sigmoid, in pieces of straight lines."""
    x = layers.Rescaling(1.0, 3.0, name=f"{name}_shift")(x)
    x = layers.ReLU(6.0, name=f"{name}_relu6")(x)
    return layers.Rescaling(1 / 6, name=f"{name}_scale")(x)


def classifier(inputs: Any, x: Any, class_count: int, name: str) -> keras.Model:
    """Return a model that ends in one number a class, and their softmax."""
    x = layers.Dense(class_count, name="logits")(x)
    return keras.Model(inputs, layers.Softmax(name="probabilities")(x), name=name)
