"""Knowledge distillation: a student learns what a teacher makes of samples, not their labels alone.

After G. Hinton, O. Vinyals, J. Dean, Distilling the Knowledge in a Neural Network (2015), as Pise
(study 004, section 3) and Li & Al Omar (study 000, section 4.2.1) use it: both models' logits are
divided by a temperature, and the student's distribution is drawn to the teacher's. For students
that are less deep, or deeper, layers in the middle may be drawn together as well, after A. Romero
et al., FitNets (2015).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinysim.errors import RecipeError
from tinysim.lab.train import History, TrainSettings, train

if TYPE_CHECKING:
    import keras

    from tinysim.lab.data import Dataset
    from tinysim.lab.model_files import Masks

#: Name of a layer of the student and of one of the teacher.
Pairs = tuple[tuple[str, str], ...]

#: Layers that only pass on what the one before has found.
_PASSING = ("InputLayer", "Flatten", "Reshape", "Dropout", "Softmax")


@dataclass(frozen=True)
class DistillSettings(TrainSettings):
    """How to distill, and how to train meanwhile.

    Parameters
    ----------
    temperature
        What logits are divided by: the higher, the more the student is told of what the teacher
        thinks unlikely. The gradients are kept as large as at 1 (Hinton et al., section 2).
    alpha
        Share of the labels in the loss; the rest is the teacher's.
    feature_weight
        Of the mean squared error between layers, which is added to the loss; 0 compares none.
    pairs
        Which layers are compared, the student's and the teacher's; without, the last ones of each
        height and width that both have. What the student's find is projected to the teacher's
        number of channels by a matrix that is learned with them and then dropped.
    """

    temperature: float = 4.0
    alpha: float = 0.1
    feature_weight: float = 0.0
    pairs: Pairs = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.temperature <= 0:
            raise ValueError(f"temperature is {self.temperature}, not above 0")
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha is {self.alpha}, not from 0 to 1")
        if self.feature_weight < 0:
            raise ValueError(f"feature_weight is {self.feature_weight}, not 0 or more")
        if self.pairs and not self.feature_weight:
            raise ValueError("pairs are named, but feature_weight is 0")


def distill(
    student: keras.Model,
    teacher: keras.Model,
    dataset: Dataset,
    settings: DistillSettings,
    *,
    seed: int,
    masks: Masks | None = None,
    on_progress: Callable[[float, str], None] = lambda share, what: None,
) -> History:
    """Train the student in place; the teacher stays as it is.

    ``masks`` are the student's, see ``tinysim.lab.train.train``; so are the other parameters.

    Raises
    ------
    RecipeError
        If the two do not take the same samples, or layers cannot be compared.
    """
    import keras

    from tinysim.lab._distiller import Distiller

    _check_ends(student, teacher)
    pairs: Pairs = ()
    if settings.feature_weight:
        pairs = settings.pairs or matched_layers(student, teacher)
        _check_pairs(student, teacher, pairs)
    keras.utils.set_random_seed(seed)  # projections begin at random

    def labels_loss(labels: Any, probabilities: Any) -> Any:
        found = keras.losses.sparse_categorical_crossentropy(labels, probabilities)
        return settings.alpha * found

    return train(
        Distiller(student, teacher, settings, pairs),
        dataset,
        settings,
        seed=seed,
        masks=masks,
        loss=labels_loss,
        on_progress=on_progress,
    )


def matched_layers(student: keras.Model, teacher: keras.Model) -> Pairs:
    """Return the last layers of each height and width that both have, in the student's order."""
    theirs = _stage_ends(teacher)
    return tuple(
        (name, theirs[place]) for place, name in _stage_ends(student).items() if place in theirs
    )


def _stage_ends(model: keras.Model) -> dict[tuple[int, ...], str]:
    """Return the last layer of each height and width; of vectors, that before the logits."""
    ends = {}
    for layer in model.layers:
        shape = getattr(layer.output, "shape", None)  # a layer that splits has several
        passes = type(layer).__name__ in _PASSING or layer.name == "logits"
        if not passes and layer.output is not model.outputs[0] and shape is not None:
            ends[tuple(shape[1:-1])] = layer.name
    return ends


def _check_ends(student: keras.Model, teacher: keras.Model) -> None:
    for what, ours, theirs in (
        ("samples", student.inputs[0].shape, teacher.inputs[0].shape),
        ("classes", student.outputs[0].shape, teacher.outputs[0].shape),
    ):
        if tuple(ours) != tuple(theirs):
            raise RecipeError(
                f"the student's {what} have shape {ours[1:]}, the teacher's {theirs[1:]}",
                where="distillation",
                fix="take a teacher for the same samples",
            )


def _check_pairs(student: keras.Model, teacher: keras.Model, pairs: Pairs) -> None:
    """Refuse pairs that cannot be compared, all at once."""
    wrong = list(_wrong_pairs(student, teacher, pairs))
    if not pairs:
        wrong = ["student and teacher have no layers of the same height and width"]
    if wrong:
        raise RecipeError(
            "; ".join(wrong),
            where="feature distillation",
            fix="name pairs of layers of the same height and width, the student's first",
        )


def _wrong_pairs(student: keras.Model, teacher: keras.Model, pairs: Pairs) -> Iterator[str]:
    for pair in pairs:
        shapes = []
        for who, model, name in zip(("student", "teacher"), (student, teacher), pair, strict=True):
            if name in {layer.name for layer in model.layers}:
                shapes.append(getattr(model.get_layer(name).output, "shape", ()))
            else:
                yield f"the {who} has no layer {name!r}"
        if len(shapes) == 2 and (not all(shapes) or shapes[0][1:-1] != shapes[1][1:-1]):
            ours, theirs = (tuple(shape[1:]) for shape in shapes)
            yield f"{pair[0]!r} has shape {ours}, {pair[1]!r} {theirs}"
