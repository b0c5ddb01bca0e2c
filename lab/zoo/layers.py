"""Layers that Keras lacks; files that hold them load wherever this module is imported."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import keras
from keras import layers


@keras.saving.register_keras_serializable("tinysim")  # type: ignore[untyped-decorator, unused-ignore]
class ChannelSplit(layers.Layer):  # type: ignore[misc, unused-ignore]
    """Parts the channels, the first ``sizes[0]`` of them from the next ``sizes[1]`` and so on."""

    def __init__(self, sizes: tuple[int, ...], **options: Any) -> None:
        super().__init__(**options)
        self.sizes = tuple(sizes)

    def call(self, x: Any) -> list[Any]:
        """Return the parts."""
        return list(keras.ops.split(x, list(accumulate(self.sizes[:-1])), axis=-1))

    def get_config(self) -> dict[str, Any]:
        """Return what makes the same layer again."""
        return {**super().get_config(), "sizes": list(self.sizes)}


def channel_shuffle(x: Any, groups: int, name: str) -> Any:
    """Deal the channels of ``groups`` groups out in turn, one of each group after the other."""
    height, width, channels = x.shape[1:]
    split = (height * width, groups, channels // groups)
    x = layers.Reshape(split, name=f"{name}_groups")(x)
    x = layers.Permute((1, 3, 2), name=f"{name}_turn")(x)
    return layers.Reshape((height, width, channels), name=f"{name}_flat")(x)
