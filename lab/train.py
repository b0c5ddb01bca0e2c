"""Training: samples in batches, early stopping, masks that hold, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset

OPTIMIZERS = ("adam", "sgd")
SCHEDULES = ("constant", "cosine")
AUGMENTATIONS = ("none", "crop_flip")

#: Of the training part, what early stopping judges by.
_HELD_OUT_SHARE = 0.1
_MOMENTUM = 0.9

OnProgress = Callable[[float, str], None]


@dataclass(frozen=True)
class TrainSettings:
    """How to train.

    Parameters
    ----------
    optimizer
        ``adam``, or ``sgd`` with a momentum of 0.9.
    schedule
        Of the learning rate: ``constant``, or ``cosine`` from ``learning_rate`` down to 0.
    patience
        Epochs without a smaller loss on a held-out tenth of the training part, after which
        training ends with the best weights so far. 0 holds nothing out and trains all epochs.
    weight_decay
        Share of a weight times the learning rate that each step takes away; of kernels only.
    augment
        ``crop_flip`` moves images by up to an eighth of their size and mirrors half of them.
    """

    epochs: int = 10
    batch_size: int = 64
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    patience: int = 0
    weight_decay: float = 0.0
    augment: str = "none"

    def __post_init__(self) -> None:
        wrong = [
            f"{name} is {value!r}, not {wanted}"
            for name, value, wanted, holds in (
                ("epochs", self.epochs, "1 or more", self.epochs >= 1),
                ("batch_size", self.batch_size, "1 or more", self.batch_size >= 1),
                ("optimizer", self.optimizer, _one_of(OPTIMIZERS), self.optimizer in OPTIMIZERS),
                ("learning_rate", self.learning_rate, "above 0", self.learning_rate > 0),
                ("schedule", self.schedule, _one_of(SCHEDULES), self.schedule in SCHEDULES),
                ("patience", self.patience, "0 or more", self.patience >= 0),
                ("weight_decay", self.weight_decay, "0 or more", self.weight_decay >= 0),
                ("augment", self.augment, _one_of(AUGMENTATIONS), self.augment in AUGMENTATIONS),
            )
            if not holds
        ]
        if wrong:
            raise ValueError("; ".join(wrong))


@dataclass(frozen=True)
class History:
    """What came of a training, one number an epoch; ``held_out_*`` are empty without patience.

    ``best_epoch`` counts from 0 and is the one whose weights the model has.
    """

    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    held_out_loss: tuple[float, ...]
    held_out_accuracy: tuple[float, ...]
    best_epoch: int


def train(
    model: Any,
    dataset: Dataset,
    settings: TrainSettings,
    *,
    seed: int,
    masks: Mapping[str, NDArray[np.bool_]] | None = None,
    loss: Any = None,
    on_progress: OnProgress = lambda share, what: None,
    callbacks: Sequence[Any] = (),
) -> History:
    """Train a model in place.

    Parameters
    ----------
    model
        Ends in probabilities. One with a loss of its own (``compute_loss``) keeps it.
    seed
        The same gives the same weights, on one machine.
    masks
        Path of a trainable variable -> which of its elements are kept; all others are zero
        after each step.
    loss
        As Keras takes it; sparse categorical cross-entropy of the probabilities if not given.
    on_progress
        Called with the share that is done and a word on it.
    callbacks
        More of Keras's callbacks.

    Raises
    ------
    RecipeError
        If masks do not belong to the model, there are too few samples, or the loss diverges.
    """
    import keras
    import tensorflow as tf

    from tinysim.lab._batches import batches
    from tinysim.lab._training_watcher import TrainingWatcher

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    kept, held_out = _parts(dataset, settings, seed)
    samples = batches(dataset, kept, settings.batch_size, seed, settings.augment == "crop_flip")
    model.compile(
        optimizer=_optimizer(settings, len(samples)),
        loss=loss or keras.losses.SparseCategoricalCrossentropy(),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile=False,  # determinism holds for operators one by one
    )
    watching = [TrainingWatcher(settings.epochs, len(samples), on_progress), *callbacks]
    judged = None
    if settings.patience:
        judged = batches(dataset, held_out, 256, seed, augments=False)
        watching.append(
            keras.callbacks.EarlyStopping(
                "val_loss", patience=settings.patience, restore_best_weights=True
            )
        )
    with _held_at_zero(model, masks or {}):
        found = model.fit(
            samples,
            epochs=settings.epochs,
            validation_data=judged,
            callbacks=watching,
            shuffle=False,  # the batches are new in each epoch
            verbose=0,
        )
    return _history(found.history, judged is not None)


def _one_of(names: Sequence[str]) -> str:
    return " or ".join(names)


def _parts(
    dataset: Dataset, settings: TrainSettings, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which samples to train with, and which to judge by."""
    if not dataset.is_labelled:
        raise RecipeError(
            "has no labels: there is nothing to learn from it",
            where=f"data {dataset.name}",
            fix="take other samples, or leave out what trains",
        )
    count = len(dataset.x_train)
    if count < 2:
        raise RecipeError(
            f"holds {count} samples to train with", where=dataset.name, fix="give more of them"
        )
    order = np.random.default_rng(seed).permutation(count)
    held = max(1, round(count * _HELD_OUT_SHARE)) if settings.patience else 0
    return order[held:], order[:held]


def _optimizer(settings: TrainSettings, steps: int) -> Any:
    import keras

    rate: Any = settings.learning_rate
    if settings.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, settings.epochs * steps)
    decay = settings.weight_decay or None
    if settings.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(rate, momentum=_MOMENTUM, weight_decay=decay)
    else:
        optimizer = keras.optimizers.Adam(rate, weight_decay=decay)
    if decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    return optimizer


@contextmanager
def _held_at_zero(model: Any, masks: Mapping[str, NDArray[np.bool_]]) -> Iterator[None]:
    """Make and keep elements zero: the optimizer applies a variable's constraint in each step."""
    import keras

    variables = {variable.path: variable for variable in model.trainable_variables}
    wrong = [
        f"{path} {mask.shape}"
        for path, mask in masks.items()
        if path not in variables or tuple(variables[path].shape) != mask.shape
    ]
    if wrong:
        raise RecipeError(
            f"the model has no such variables to train: {', '.join(wrong)}",
            where="masks",
            fix="give masks that were made for this model",
        )
    before = {path: variables[path].constraint for path in masks}
    for path, mask in masks.items():
        variable = variables[path]
        kept = keras.ops.convert_to_tensor(mask, dtype=variable.dtype)
        variable.assign(variable * kept)
        variable.constraint = lambda value, kept=kept: value * kept
    try:
        yield
    finally:
        for path, constraint in before.items():
            variables[path].constraint = constraint


def _history(found: Mapping[str, Sequence[float]], was_judged: bool) -> History:
    def column(name: str) -> tuple[float, ...]:
        return tuple(float(value) for value in found.get(name, ()))

    judged = column("val_loss")
    if not all(map(math.isfinite, (*column("loss"), *judged))):
        raise RecipeError(
            "the loss is no number any more",
            where="training",
            fix="choose a smaller learning rate",
        )
    return History(
        loss=column("loss"),
        accuracy=column("accuracy"),
        held_out_loss=judged,
        held_out_accuracy=column("val_accuracy"),
        best_epoch=int(np.argmin(judged)) if was_judged else len(column("loss")) - 1,
    )
