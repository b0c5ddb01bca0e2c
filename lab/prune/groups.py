"""Which channels of a model can be removed, and what goes with each."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinysim.errors import RecipeError
from tinysim.lab.prune.walk import Atoms, Walk, walk

if TYPE_CHECKING:
    import keras

Units = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Member:
    """An axis of a variable on which units of a group have their places.

    Parameters
    ----------
    layer, variable, axis
        Name of the layer, attribute of it that holds the variable, axis of that.
    role
        ``makes``: the units are computed with it (outputs of a kernel). ``reads``: they are
        computed on with it (inputs of a kernel). ``follows``: a bias or a normalization.
    units
        For each position on the axis the unit that it belongs to, or -1 for none of this group.
    block
        Which of how many equal parts of the variable's last axis is meant: grouped convolutions
        read other channels for each.
    """

    layer: str
    variable: str
    axis: int
    role: str
    units: Units
    block: tuple[int, int] = (0, 1)

    def part(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the part that is meant of numbers in the shape of the variable, as a view."""
        index, count = self.block
        size = values.shape[-1] // count
        return values[..., index * size : (index + 1) * size]


@dataclass(frozen=True, eq=False)
class Signal:
    """An output of a layer that carries units on an axis (the batch is axis 0); see ``Member``.

    ``call`` counts the layer's calls from 0, ``index`` the outputs of one call.
    """

    layer: str
    call: int
    index: int
    axis: int
    units: Units


@dataclass(frozen=True, eq=False)
class Group:
    """Units of which any can be removed: each with all its places in all members.

    Parameters
    ----------
    name
        The layer that makes the units; with ``#2`` and so on where its channels part.
    size
        Number of units.
    frozen
        Why they must all stay, if they must.
    """

    name: str
    size: int
    members: tuple[Member, ...]
    signals: tuple[Signal, ...]
    frozen: str | None = None


def functional(model: keras.Model) -> keras.Model:
    """Return a model as a graph of its own layers: a ``Sequential`` is one, too.

    Raises
    ------
    RecipeError
        If the model is a class of its own, whose graph cannot be known.
    """
    import keras

    if isinstance(model, keras.Sequential) and model.built:
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if not hasattr(model, "_nodes_by_depth"):
        raise RecipeError(
            "its layers are called by code or have no shapes yet, so there is no graph to follow",
            where=f"model {model.name!r}",
            fix="make it with keras.Model(inputs, outputs), or a Sequential that has an Input",
        )
    return model


def channel_groups(model: keras.Model) -> tuple[Group, ...]:
    """Find the channels of a model that can be removed, and those that cannot with the reason.

    Parameters
    ----------
    model
        A functional model or a ``Sequential`` with known shapes.

    Returns
    -------
    tuple of Group
        In the order of the layers that make them.

    Raises
    ------
    RecipeError
        If the model is neither.
    """
    found = walk(functional(model))
    roots, reasons, names = found.roots(), found.reasons(), Counter[str]()
    groups = (
        _group(found, roots, family, reasons.get(family[0]), names)
        for family in _families(found, roots, reasons)
    )
    return tuple(group for group in groups if group.members)


def _families(found: Walk, roots: Atoms, reasons: dict[int, str]) -> list[list[int]]:
    """Part the units, as their roots: those that lie on the same axes make a group.

    As any unit of a group is wherever the others are, one that stays leaves no layer without
    channels.
    """
    places: defaultdict[int, list[int]] = defaultdict(list)
    everywhere = [use.atoms for use in found.uses] + [one.channels.atoms for one in found.outputs]
    for place, atoms in enumerate(everywhere):
        for root in np.unique(roots[atoms]).tolist():
            places[root].append(place)
    families: defaultdict[tuple[tuple[int, ...], str | None], list[int]] = defaultdict(list)
    for root in sorted(places):
        families[tuple(places[root]), reasons.get(root)].append(root)
    return list(families.values())


def _group(
    found: Walk, roots: Atoms, family: list[int], frozen: str | None, names: Counter[str]
) -> Group:
    unit_of = np.full(len(roots), -1, np.int64)
    unit_of[family] = np.arange(len(family))
    members = [
        Member(use.layer, use.variable, use.axis, use.role, unit_of[roots[use.atoms]], use.block)
        for use in found.uses
    ]
    signals = [
        Signal(
            one.layer, one.call, one.index, one.channels.axis, unit_of[roots[one.channels.atoms]]
        )
        for one in found.outputs
    ]
    members = [member for member in members if (member.units >= 0).any()]
    signals = [signal for signal in signals if (signal.units >= 0).any()]
    layer = next((one.layer for one in members if one.role == "makes"), signals[0].layer)
    names[layer] += 1
    name = layer if names[layer] == 1 else f"{layer}#{names[layer]}"
    return Group(name, len(family), tuple(members), tuple(signals), frozen)
