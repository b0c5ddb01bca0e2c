"""Fully connected layers only."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from tinysim.lab.zoo._blocks import classifier, scaled_width


def build(
    input_shape: tuple[int, ...],
    class_count: int,
    *,
    units: Sequence[int] = (128,),
    alpha: float = 1.0,
) -> keras.Model:
    """Return the model: hidden layers of ``units`` numbers each, times ``alpha``."""
    inputs = keras.Input(input_shape, name="image")
    x = layers.Flatten(name="flatten")(inputs)
    for i, width in enumerate(units, 1):
        x = layers.Dense(scaled_width(width, alpha), activation="relu", name=f"dense_{i}")(x)
    return classifier(inputs, x, class_count, "dense")
