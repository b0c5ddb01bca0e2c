"""Structural pruning: whole filters and units are taken out, and with them all that read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinysim.lab.data import Dataset, scaled
from tinysim.lab.prune.elements import Masks
from tinysim.lab.prune.groups import Group, channel_groups, functional
from tinysim.lab.prune.importance import structure_scores
from tinysim.lab.prune.ladder import Scores
from tinysim.lab.prune.remove import remove
from tinysim.lab.prune.search import fitted
from tinysim.lab.prune.settings import Settings
from tinysim.lab.prune.target import Bench, TargetError

if TYPE_CHECKING:
    import keras

#: Cycles move with the weights, by less than this share of them: the search stays so far below.
_MARGIN = 0.001
#: Samples that activations are quantized by while models are tried on the board.
_CALIBRATION = 16
#: Structures that are judged by the weights that read them; others by those that make them.
_READ = ("channels", "rows")
#: Structures of dense layers alone.
_OF_DENSE = ("columns", "rows")


class Structures:
    """Removes structures; what a model costs is what the target is about."""

    def __init__(self, dataset: Dataset, settings: Settings, seed: int) -> None:
        aim = settings.aim
        self.dataset, self.settings, self.seed = dataset, settings, seed
        self.bench = Bench(aim.metric, aim.board, scaled(dataset.x_train[:_CALIBRATION]))

    @property
    def simulations(self) -> int:
        """How many models have been simulated."""
        return self.bench.simulations

    def cost(self, model: keras.Model, masks: Masks) -> float:
        """Return what a model costs; zeros in it cost as much as other numbers."""
        return self.bench.cost(model)

    def check_reachable(self, model: keras.Model, limit: float) -> None:
        """Refuse what a model costs more than with all gone that may be removed.

        Raises
        ------
        TargetError
            With what it costs then, and what most of that is.
        """
        self._removed(model, limit, most_tries=2)

    def pruned(self, model: keras.Model, masks: Masks, limit: float) -> tuple[keras.Model, Masks]:
        """Remove what matters least, so that a model costs no more than a limit, and hardly less.

        What masks had at zero stays so in what is left.

        Raises
        ------
        TargetError
            If it costs more with all gone that may be removed.
        """
        left = self._removed(model, limit, self.settings.most_tries)
        return left, {
            weight.path: weight.numpy() != 0 for weight in left.weights if weight.path in masks
        }

    def _removed(self, model: keras.Model, limit: float, most_tries: int) -> keras.Model:
        settings, bench = self.settings, self.bench
        model = functional(model)
        groups = channel_groups(model)
        aim = limit * (1 - _MARGIN) if bench.board else limit
        kept, found = fitted(
            self._scores(model, groups),
            lambda kept: bench.cost_with(model, groups, kept),
            aim,
            scope=settings.scope,
            multiples=settings.multiples,
            least=settings.least,
            tolerance=1 - limit * (1 - settings.tolerance) / aim,
            most_tries=most_tries,
        )
        left = remove(model, kept)
        if found.is_reached:
            return left
        raise TargetError(
            f"{bench.said(found.cost)} is the least that {settings.structure} in multiples of "
            f"{settings.multiple_of} come to ({bench.largest(left)})",
            where=f"model {model.name!r} below {bench.said(limit)}",
            fix="aim at more, prune other structures or smaller multiples, or begin with another "
            "model",
            nearest=found.cost,
        )

    def _scores(self, model: keras.Model, groups: Sequence[Group]) -> Scores:
        structure = self.settings.structure
        if structure in _OF_DENSE:
            groups = [group for group in groups if _is_dense(group, model)]
        return structure_scores(
            model,
            groups,
            self.settings.chosen_heuristic,
            self.dataset,
            self.seed,
            "channels" if structure in _READ else "filters",
        )


def _is_dense(group: Group, model: keras.Model) -> bool:
    """Whether units are made by dense layers alone."""
    import keras

    makers = [one.layer for one in group.members if one.role == "makes"]
    return all(isinstance(model.get_layer(name), keras.layers.Dense) for name in makers)
