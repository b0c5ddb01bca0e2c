"""What can be counted of a model without running it, be it smaller than it is now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinysim.lab.prune.groups import Group, functional
from tinysim.lab.prune.walk import calls

if TYPE_CHECKING:
    import keras

#: Attributes of layers that are multiplied with at every place of their output.
_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")

#: Layer and attribute -> number of elements.
Sizes = Mapping[tuple[str, str], int]


def count_macs(model: keras.Model) -> int:
    """Return the multiply-accumulates of one inference."""
    return sum(layer_macs(model).values())


def layer_macs(model: keras.Model, sizes: Sizes | None = None) -> Counter[str]:
    """Return the multiply-accumulates of each layer: each kernel at every place of its output.

    ``sizes`` are those of kernels that are to become smaller.
    """
    import keras

    found = Counter[str]()
    for layer, node in calls(functional(model)):
        if isinstance(layer, keras.Model):
            found[layer.name] += count_macs(layer)
            continue
        for name in _KERNELS:
            if (kernel := getattr(layer, name, None)) is not None:
                size = (sizes or {}).get((layer.name, name), int(np.prod(kernel.shape)))
                found[layer.name] += size * int(np.prod(node.outputs[0].shape[1:-1]))
    return found


def count_parameters(model: keras.Model, sizes: Sizes | None = None) -> int:
    """Return how many parameters a model has; ``sizes`` are of variables to become smaller."""
    count: int = model.count_params()
    for (layer, name), size in (sizes or {}).items():
        count += size - int(np.prod(getattr(model.get_layer(layer), name).shape))
    return count


def sizes_with(
    model: keras.Model, groups: Sequence[Group], kept: Mapping[str, NDArray[np.int64]]
) -> Sizes:
    """Return the sizes that variables have when groups keep some of their units only."""
    masks: dict[tuple[str, str], NDArray[np.bool_]] = {}
    for group in (group for group in groups if group.name in kept):
        for member in group.members:
            key = (member.layer, member.variable)
            shape = getattr(model.get_layer(member.layer), member.variable).shape
            mask = masks.setdefault(key, np.ones(shape, bool))
            stays = np.isin(member.units, kept[group.name]) | (member.units < 0)
            part = member.part(mask)
            part &= stays.reshape([-1 if i == member.axis else 1 for i in range(mask.ndim)])
    return {key: int(mask.sum()) for key, mask in masks.items()}
