"""How much each unit of a group matters, by what pruning has been judged by (Deutel et al. 3.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset
from tinysim.lab.prune._gradients import batches, loss_shares
from tinysim.lab.prune.groups import Group, Member, Signal, functional
from tinysim.lab.prune.walk import calls

if TYPE_CHECKING:
    import keras

Scores = NDArray[np.float64]

#: Name of a layer, and number of its call.
Place = tuple[str, int]

#: Names of all heuristics.
HEURISTICS = ("l1", "l2", "gradient", "activation", "random")

#: Those that look at samples.
_WITH_DATA = ("gradient", "activation")

#: Activations that give zero for a whole range of numbers.
_RECTIFIERS = ("relu", "relu6", "hard_sigmoid", "hard_silu", "hard_swish")


def structure_scores(
    model: keras.Model,
    groups: Sequence[Group],
    heuristic: str,
    data: Dataset | None = None,
    seed: int = 0,
    structure: Literal["filters", "channels"] = "filters",
) -> dict[str, Scores]:
    """Judge the units of all groups that are not frozen; the lowest go first.

    Parameters
    ----------
    model, groups
        A model and what ``channel_groups`` found in it.
    heuristic
        ``l1``, ``l2``: norm of the weights. ``gradient``: ``|w * dL/dw|``, summed. ``activation``:
        one minus the average share of zeros behind rectifiers; 1 where there is none, as zeros
        then have nothing to say. ``random``.
    data
        Samples for ``gradient`` and ``activation``.
    seed
        Draws samples, or scores.
    structure
        Which weights speak for a unit, but for ``activation`` and ``random``: ``filters`` that
        make it (of a dense kernel the column) or ``channels`` that read it (the row).

    Returns
    -------
    dict
        Name of a group -> a score a unit. Those by weights are shares of the mean of each kernel,
        then averaged over a group's kernels: so layers of different sizes can be compared.

    Raises
    ------
    RecipeError
        If there is no such heuristic, or it needs data.
    """
    if heuristic not in HEURISTICS:
        raise RecipeError(
            "there is no such heuristic",
            where=f"heuristic {heuristic!r}",
            fix=f"one of {', '.join(HEURISTICS)}",
        )
    if heuristic in _WITH_DATA and data is None:
        raise RecipeError(
            "it looks at samples, and there are none",
            where=f"heuristic {heuristic!r}",
            fix="give a dataset, or take l1 or l2",
        )
    model = functional(model)
    free = [group for group in groups if group.frozen is None]
    if heuristic == "random":
        random = np.random.default_rng(seed)
        return {group.name: random.random(group.size) for group in free}
    if heuristic == "activation":
        assert data is not None
        return _shares_of_non_zeros(model, free, data, seed)
    shares = None
    if heuristic == "gradient":
        assert data is not None
        shares = loss_shares(model, data, seed)
    return {group.name: _by_weights(model, group, heuristic, shares, structure) for group in free}


def _by_weights(
    model: keras.Model,
    group: Group,
    heuristic: str,
    shares: dict[str, NDArray[np.float64]] | None,
    structure: str,
) -> Scores:
    made = [member for member in group.members if member.role == "makes"]
    read = [member for member in group.members if member.role == "reads"]
    judged = read if structure == "channels" and read else made
    scores = np.zeros(group.size)
    for member in judged:
        variable = getattr(model.get_layer(member.layer), member.variable)
        if shares is None:
            weights = member.part(variable.numpy().astype(np.float64))
        else:
            weights = member.part(shares.get(variable.path, np.zeros(variable.shape)))
        score = _of_units(member, _norm(weights, member.axis, 2 if heuristic == "l2" else 1), group)
        scores += score / (score.mean() or 1) / len(judged)
    return scores


def _norm(weights: NDArray[np.float64], axis: int, order: int) -> Scores:
    """Return the norm of what lies at each position of an axis."""
    rows = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)
    return np.asarray(np.linalg.norm(rows, order, axis=1))


def _of_units(place: Member | Signal, values: Scores, group: Group) -> Scores:
    """Return the mean of each unit's positions."""
    ours = place.units >= 0
    units = place.units[ours]
    sums = np.bincount(units, values[ours], group.size)
    return np.asarray(sums / np.bincount(units, minlength=group.size))


def _shares_of_non_zeros(
    model: keras.Model, groups: Sequence[Group], data: Dataset, seed: int
) -> dict[str, Scores]:
    places = {(one.layer, one.call): one.axis for group in groups for one in group.signals}
    tensors = {place: out for place, out in _rectified(model) if place in places}
    found = _non_zeros(model, tensors, places, data, seed)
    scores: dict[str, Scores] = {}
    for group in groups:
        behind = [one for one in group.signals if (one.layer, one.call) in found]
        shares = [_of_units(one, found[one.layer, one.call], group) for one in behind]
        scores[group.name] = np.mean(shares, axis=0) if shares else np.ones(group.size)
    return scores


def _non_zeros(
    model: keras.Model,
    tensors: Mapping[Place, Any],
    axes: Mapping[Place, int],
    data: Dataset,
    seed: int,
) -> dict[Place, Scores]:
    """Return for each channel of each tensor which share of its numbers is not zero."""
    import keras

    if not tensors:
        return {}
    observer = keras.Model(model.input, list(tensors.values()))
    sums = {place: np.zeros(out.shape[axes[place]]) for place, out in tensors.items()}
    count = 0
    for x, _ in batches(data, seed):
        for place, value in zip(
            tensors, keras.tree.flatten(observer(x, training=False)), strict=True
        ):
            channels = np.moveaxis(np.asarray(value), axes[place], 0)
            sums[place] += (channels.reshape(len(channels), -1) != 0).mean(axis=1) * len(x)
        count += len(x)
    return {place: total / count for place, total in sums.items()}


def _rectified(model: keras.Model) -> Iterator[tuple[Place, Any]]:
    """Yield what comes out of rectifiers."""
    called = Counter[str]()
    for layer, node in calls(model):
        activation = getattr(getattr(layer, "activation", None), "__name__", "")
        if type(layer).__name__ in ("ReLU", "Relu", "Relu6") or activation in _RECTIFIERS:
            yield (layer.name, called[layer.name]), node.outputs[0]
        called[layer.name] += 1
