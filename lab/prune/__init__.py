"""Pruning: what matters least is taken out of a model, and the rest is trained again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset, scaled
from tinysim.lab.evaluate import evaluate
from tinysim.lab.model_files import load_model, save_model
from tinysim.lab.prune.elements import Elements, Masks, apply, pruned_count
from tinysim.lab.prune.schedule import sparsities
from tinysim.lab.prune.settings import Settings as Settings
from tinysim.lab.prune.structures import Structures
from tinysim.lab.prune.target import COUNTED
from tinysim.lab.train import TrainSettings, train

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Step:
    """What one step of the schedule came to.

    ``sparsity`` is the share of the cost at the start (the parameters, say) that the schedule
    wanted to be gone. ``cost`` is in the target's unit, or counted. Of the ``parameters`` those
    that no mask keeps at zero ``remain``. Accuracies are of the test part, before and after
    training.
    """

    sparsity: float
    cost: float
    parameters: int
    remaining: int
    accuracy_pruned: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class Pruned:
    """A model that was pruned, and how it came about; ``start`` is the model as it was given."""

    model: keras.Model
    masks: Masks
    start: Step
    steps: tuple[Step, ...]
    simulations: int

    @property
    def last(self) -> Step:
        """The last step, or the start where nothing was to be done."""
        return (self.start, *self.steps)[-1]


def prune(
    model: keras.Model,
    dataset: Dataset,
    settings: Settings,
    *,
    seed: int = 0,
    masks: Masks | None = None,
    on_progress: Callable[[float, str], None] = lambda share, what: None,
) -> Pruned:
    """Return a smaller model, or one with zeros; the model that is given is not touched.

    Parameters
    ----------
    model
        A trained one, that ends in probabilities.
    masks
        What is zero already, and stays so.
    on_progress
        Called with the share that is done, 0 to 1, and a word on what is being done.

    Raises
    ------
    TargetError
        If the target cannot be reached; before anything is trained.
    RecipeError
        If the model cannot be pruned as the settings say.
    """
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    model = _copied(model)
    kept: Masks = masks or {}
    check_fits(model, dataset)
    apply(model, kept)
    kind = Elements if settings.structure == "elements" else Structures
    way = kind(dataset, settings, seed)
    on_progress(0.0, "trying what can be reached")
    whole, cost = way.cost(model, {}), way.cost(model, kept)
    limit = settings.aim.value * (whole if settings.aim.metric in COUNTED else 1)
    accuracy = _accuracy(model, dataset)
    start = _step(model, kept, 1 - cost / whole, cost, accuracy, accuracy)
    if cost <= limit:
        return Pruned(model, kept, start, (), way.simulations)
    way.check_reachable(model, limit)
    plan = sparsities(
        settings.schedule, 1 - limit / whole, steps=settings.steps, initial=start.sparsity
    )
    steps: list[Step] = []
    for i, sparsity in enumerate(plan):
        is_last = i + 1 == len(plan)
        tell = _tell_step(on_progress, i, len(plan))
        tell(0.0, "pruning")
        smaller = way.pruned(model, kept, limit if is_last else whole * (1 - sparsity))
        if is_last or way.cost(*smaller) >= limit * (1 - settings.tolerance):
            model, kept = smaller  # else too much would be gone already
        before = _accuracy(model, dataset)
        if epochs := settings.final_epochs if is_last else settings.epochs:
            how = TrainSettings(
                epochs=epochs,
                batch_size=settings.batch_size,
                learning_rate=settings.learning_rate,
            )
            train(model, dataset, how, seed=seed + i, masks=kept, on_progress=tell)
        cost, accuracy = way.cost(model, kept), _accuracy(model, dataset)
        steps.append(_step(model, kept, sparsity, cost, before, accuracy))
    return Pruned(model, kept, start, tuple(steps), way.simulations)


def check_fits(model: keras.Model, dataset: Dataset) -> None:
    """Refuse samples that a model is not made for.

    Raises
    ------
    RecipeError
        With everything that is wrong.
    """
    wrong = [] if dataset.is_labelled else [f"{dataset.name} has no labels to judge by"]
    shapes = [tuple(one.shape[1:]) for one in model.inputs]
    if shapes != [dataset.input_shape]:
        wrong.append(f"it takes {shapes}, samples are {[dataset.input_shape]}")
    elif (given := [tuple(one.shape[1:]) for one in model.outputs]) != [(len(dataset.classes),)]:
        wrong.append(f"it gives {given} for {len(dataset.classes)} classes")
    elif not np.allclose(model(scaled(dataset.x_train[:8])).numpy().sum(axis=-1), 1, atol=1e-3):
        wrong.append("what it gives are no probabilities")
    if wrong:
        raise RecipeError(
            "; ".join(wrong),
            where=f"model {model.name!r} with {dataset.name}",
            fix="give samples as it was trained with, and let it end in a Softmax",
        )


def _accuracy(model: keras.Model, dataset: Dataset) -> float:
    return float((evaluate(model, dataset) == dataset.y_test).mean())


def _step(
    model: keras.Model, kept: Masks, sparsity: float, cost: float, before: float, after: float
) -> Step:
    parameters = model.count_params()
    return Step(sparsity, cost, parameters, parameters - pruned_count(kept), before, after)


def _tell_step(
    on_progress: Callable[[float, str], None], step: int, count: int
) -> Callable[[float, str], None]:
    """Return what tells how far a step is, as a part of all."""
    return lambda share, what: on_progress(
        (step + share) / count, f"step {step + 1} of {count}: {what}"
    )


def _copied(model: keras.Model) -> keras.Model:
    """Return the same model anew, with the paths of variables that its file gives."""
    with tempfile.TemporaryDirectory() as folder:
        return load_model(save_model(model, Path(folder) / "model.keras"))
