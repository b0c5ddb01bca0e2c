"""Makes a model smaller by channels that it can do without, or silences them in place.

``kept`` maps names of groups (see ``channel_groups``) to the indices of the units that stay; all
units of groups that it does not name stay. Neither function touches the model it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinysim.errors import RecipeError
from tinysim.lab.prune.groups import Group, Units, channel_groups, functional
from tinysim.lab.prune.walk import same_inputs

if TYPE_CHECKING:
    import keras

Kept = Mapping[str, NDArray[np.int64]]
Mask = NDArray[np.bool_]

#: Class name -> the setting that says how many channels the layer makes.
_COUNT = {
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D"), "filters"),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), "filters"),
    "Dense": "units",
}


def remove(model: keras.Model, kept: Kept) -> keras.Model:
    """Return a smaller model that has only the kept channels.

    Parameters
    ----------
    model
        As ``channel_groups`` takes it.
    kept
        Name of a group -> indices of the units that stay.

    Returns
    -------
    keras.Model
        Layers have the names they had. What it computes is what ``mask(model, kept)`` computes.

    Raises
    ------
    RecipeError
        If ``kept`` names what is not there or must not go; lists all of it.
    """
    import keras

    model = functional(model)
    groups = channel_groups(model)
    _check(model.name, groups, kept)
    counts, masks = _kept_channels(groups, kept), _kept_elements(model, groups, kept)

    def resized(layer: Any) -> Any:
        return type(layer).from_config(_resized(layer, counts))

    smaller = keras.models.clone_model(model, same_inputs(model), resized)
    for layer in model.layers:
        new = smaller.get_layer(layer.name)
        new.set_weights(
            [
                _taken(old.numpy(), masks.get(old.path), weight.shape)
                for old, weight in zip(layer.weights, new.weights, strict=True)
            ]
        )
    return smaller


def mask(model: keras.Model, kept: Kept) -> keras.Model:
    """Return a model of the same size in which all but the kept channels have no effect.

    Raises
    ------
    RecipeError
        As ``remove`` does.
    """
    import keras

    model = functional(model)
    masks = variable_masks(model, kept)
    same = keras.models.clone_model(model, same_inputs(model))
    for layer in model.layers:
        weights = [
            np.where(masks.get(weight.path, True), weight.numpy(), 0) for weight in layer.weights
        ]
        same.get_layer(layer.name).set_weights(weights)
    return same


def variable_masks(model: keras.Model, kept: Kept) -> dict[str, Mask]:
    """Return what ``mask`` keeps, to train with: path of a variable -> which elements.

    A channel is silenced where it is made and where it is read, so that nothing comes of it even
    behind a function that makes something of zero.

    Raises
    ------
    RecipeError
        As ``remove`` does.
    """
    model = functional(model)
    groups = channel_groups(model)
    _check(model.name, groups, kept)
    return {
        path: found
        for path, found in _kept_elements(model, groups, kept).items()
        # A moving variance must not be zero.
        if not found.all() and not path.rpartition("/")[2].startswith("moving_")
    }


def _check(model: str, groups: Iterable[Group], kept: Kept) -> None:
    known = {group.name: group for group in groups}
    problems = [
        problem
        for name, units in kept.items()
        for problem in _problems(known.get(name), name, units)
    ]
    if problems:
        raise RecipeError(
            "; ".join(problems), where=f"model {model!r}", fix="ask channel_groups what can go"
        )


def _problems(group: Group | None, name: str, units: Units) -> Iterator[str]:
    if group is None:
        yield f"there is no group {name!r}"
        return
    found = np.unique(units)
    if len(found) == 0:
        yield f"of group {name!r} nothing would stay"
    elif found[0] < 0 or found[-1] >= group.size:
        yield f"group {name!r} has units 0 to {group.size - 1} only"
    elif group.frozen and len(found) < group.size:
        yield f"group {name!r} must stay whole ({group.frozen})"


def _stays(units: Units, group: Group, kept: Kept) -> Mask:
    """Return which positions stay as far as this group is concerned."""
    if group.name not in kept:
        return np.ones(len(units), bool)
    return np.isin(units, kept[group.name]) | (units < 0)


def _kept_elements(model: keras.Model, groups: Iterable[Group], kept: Kept) -> dict[str, Mask]:
    """Return for each variable of members, by its path, which elements stay."""
    masks: dict[str, Mask] = {}
    for group in groups:
        for member in group.members:
            variable = getattr(model.get_layer(member.layer), member.variable)
            mask = masks.setdefault(variable.path, np.ones(variable.shape, bool))
            shape = [-1 if i == member.axis else 1 for i in range(mask.ndim)]
            part = member.part(mask)
            part &= _stays(member.units, group, kept).reshape(shape)
    return masks


def _kept_channels(groups: Iterable[Group], kept: Kept) -> dict[tuple[str, int], tuple[int, int]]:
    """Return for each output of a layer (name, index) its channel axis and how many stay."""
    outputs: dict[tuple[str, int, int], Mask] = {}
    for group in groups:
        for signal in (one for one in group.signals if one.call == 0):
            key = (signal.layer, signal.index, signal.axis)
            outputs[key] = outputs.get(key, True) & _stays(signal.units, group, kept)
    return {(layer, i): (axis, int(s.sum())) for (layer, i, axis), s in outputs.items()}


def _resized(layer: Any, counts: dict[tuple[str, int], tuple[int, int]]) -> dict[str, Any]:
    """Return the settings of a layer for as many channels as stay."""
    config: dict[str, Any] = layer.get_config()
    kind = type(layer).__name__
    if (layer.name, 0) not in counts:
        return config
    axis, count = counts[layer.name, 0]
    if kind in _COUNT:
        if config.get("groups", 1) > 1 and layer.kernel.shape[-2] == 1:  # depthwise
            config["groups"] = count * config["groups"] // config["filters"]
        config[_COUNT[kind]] = count
    elif kind == "Reshape" and config["target_shape"][axis - 1] != -1:
        shape = config["target_shape"]
        config["target_shape"] = (*shape[: axis - 1], count, *shape[axis:])
    elif kind == "ChannelSplit":
        config["sizes"] = [counts[layer.name, i][1] for i in range(len(config["sizes"]))]
    return config


def _taken(
    values: NDArray[np.float32], mask: Mask | None, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return the elements that stay, as an array of the smaller shape."""
    if mask is None or values.ndim == 1:
        return values if mask is None else values[mask]
    # Filters of a grouped convolution lose as many inputs each, though not the same: taken filter
    # by filter they make an array again.
    rows = values.swapaxes(-1, -2)[mask.swapaxes(-1, -2)]
    return rows.reshape(*shape[:-2], shape[-1], shape[-2]).swapaxes(-1, -2)
