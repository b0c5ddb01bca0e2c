"""What a state of a model costs and how well it does: ``measure(state, ...) -> Row``.

Two kinds of size are kept apart. *Stored* is what a file takes: ``float32_bytes`` are the weights
of the Keras model as 32-bit floats (what its ``.keras`` or ``.h5`` file holds, without the file's
own structure), ``tflite_bytes`` the whole ``.tflite`` file, ``tflite_gzip_bytes`` the same file
compressed. *Run-time* is what a board must have: flash and RAM in ``OnBoard``.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinysim.api import run
from tinysim.boards import load_board
from tinysim.budget.measure import Measured, wilson
from tinysim.budget.measure import measure as measure_cost
from tinysim.errors import ModelError, RecipeError, SimulationError
from tinysim.lab.data import Dataset, scaled
from tinysim.lab.evaluate import evaluate
from tinysim.lab.model_files import load_model, written_whole
from tinysim.lab.quantize.convert import convert
from tinysim.lab.state import State

if TYPE_CHECKING:
    import keras

#: What a state is run as that no stage has converted: floats.
CONVERTED = "measured.tflite"

_FLOAT_BYTES = 4


@dataclass(frozen=True)
class OnBoard:
    """What a model takes of a board.

    ``overflow_bytes`` are those that are too much, of all regions; the rest is then of a board
    with enough memory. ``problem`` says why there is nothing at all. ``energy`` is None if the
    power of the board is not known.
    """

    board: str
    verdict: str
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    arena_bytes: int | None = None
    overflow_bytes: int | None = None
    cycles: int | None = None
    latency_s: Measured | None = None
    energy_j: Measured | None = None
    grade: str = ""
    problem: str | None = None

    @property
    def typical_s(self) -> float | None:
        """The latency without its band."""
        return self.latency_s.value if self.latency_s else None

    @property
    def typical_j(self) -> float | None:
        """The energy without its band."""
        return self.energy_j.value if self.energy_j else None


@dataclass(frozen=True)
class Row:
    """One stage of one repeat.

    Parameters
    ----------
    chain
        The names of the stages that led to it, itself the last.
    is_converted
        Whether a stage has made a ``.tflite`` of it; it runs as floats otherwise.
    parameters, nonzero_parameters
        Of the Keras model, moving averages of batch normalization among them; None if there is
        only a ``.tflite``.
    float32_bytes, tflite_bytes, tflite_gzip_bytes
        Stored sizes, see above.
    evaluator
        Who computed the classes.
    group, values
        What the recipe calls the stage, and which values it has of every ``each``.
    accuracy
        Share of the test samples that are right, with its 95 % Wilson interval; None if they have
        no labels, as what follows.
    precision, recall, f1
        Means over the classes, each weighing the same.
    confusion
        How many samples of a class (rows) were taken for another (columns).
    """

    repeat: int
    chain: tuple[str, ...]
    group: str
    values: Mapping[str, str]
    notes: Mapping[str, str]
    is_converted: bool
    parameters: int | None
    nonzero_parameters: int | None
    float32_bytes: int | None
    tflite_bytes: int
    tflite_gzip_bytes: int
    evaluator: str
    samples: int
    accuracy: Measured | None
    precision: float | None
    recall: float | None
    f1: float | None
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    boards: tuple[OnBoard, ...] = field(default=())

    @property
    def accuracy_share(self) -> float | None:
        """The accuracy without its interval."""
        return self.accuracy.value if self.accuracy else None

    @property
    def stage(self) -> str:
        """The name of the stage."""
        return self.chain[-1]

    @property
    def stored_bytes(self) -> int | None:
        """What its weights take in a coding of their own, of which nothing runs as it is."""
        found = self.notes.get("stored_bytes")
        return None if found is None else int(found)

    @property
    def sparsity(self) -> float | None:
        """Share of the parameters that are zero."""
        if not self.parameters or self.nonzero_parameters is None:
            return None
        return 1 - self.nonzero_parameters / self.parameters


def measure(
    state: State,
    dataset: Dataset,
    boards: Sequence[str],
    folder: Path,
    *,
    chain: tuple[str, ...] = ("model",),
    group: str = "model",
    values: Mapping[str, str] | None = None,
    repeat: int = 0,
    choices: Mapping[str, Any] | None = None,
    on_progress: Callable[[float, str], None] = lambda share, what: None,
) -> Row:
    """Run a state on every board, and on all test samples.

    Parameters
    ----------
    state
        If it has a ``.tflite``, all but the number of parameters is of that file. If not, it is
        converted as floats, into ``folder``.
    choices
        Keyword arguments of ``tinysim.run``: how it is compiled.

    Raises
    ------
    TinysimError
        If it cannot be converted or evaluated, or there is no compiler. A board that cannot run
        it, be it too small, is no error.
    """
    model = None if state.keras is None else load_model(state.keras)
    on_progress(0.0, "converting")
    path = state.tflite or converted(state.keras, folder)
    content = path.read_bytes()
    on_progress(0.1, "accuracy")
    is_float = state.tflite is None  # Keras has the same numbers, and takes samples in batches
    scores = _Scores()
    if dataset.is_labelled:
        scores = _scored(evaluate(model if is_float else path, dataset), dataset)
    sample = scaled(dataset.x_test[:1])
    found = []
    for i, board in enumerate(boards):
        on_progress(0.5 + 0.5 * i / len(boards), board)
        found.append(_on_board(path, board, sample, choices or {}))
    parameters = None if model is None else count_parameters(model)
    return Row(
        repeat=repeat,
        chain=chain,
        group=group,
        values=dict(values or {}),
        notes=dict(state.notes),
        is_converted=state.tflite is not None,
        parameters=parameters and parameters[0],
        nonzero_parameters=parameters and parameters[1],
        float32_bytes=parameters and parameters[0] * _FLOAT_BYTES,
        tflite_bytes=len(content),
        tflite_gzip_bytes=len(gzip.compress(content, mtime=0)),
        evaluator="Keras, in floats" if is_float else "TFLite's interpreter",
        samples=len(dataset.y_test),
        accuracy=scores.accuracy,
        precision=scores.precision,
        recall=scores.recall,
        f1=scores.f1,
        classes=dataset.classes,
        confusion=scores.confusion,
        boards=tuple(found),
    )


def count_parameters(model: keras.Model) -> tuple[int, int]:
    """Return how many numbers a model has learned, and how many of them are not zero.

    Neither ranges of fake quantization are counted, nor states of random generators.
    """
    from tinysim.lab.quantize.layers import Range

    ranges = {
        variable.path
        for layer in model.layers
        if isinstance(layer, Range)
        for variable in layer.weights
    }
    arrays = [
        np.asarray(variable)
        for variable in model.weights
        if "float" in str(variable.dtype) and variable.path not in ranges
    ]
    return sum(one.size for one in arrays), sum(int(np.count_nonzero(one)) for one in arrays)


def confusion_of(
    classes: NDArray[np.int64], predicted: NDArray[np.int64], class_count: int
) -> NDArray[np.int64]:
    """Return how many samples of each class (rows) were taken for which class (columns)."""
    counts = np.bincount(classes * class_count + predicted, minlength=class_count**2)
    return counts.reshape(class_count, class_count).astype(np.int64)


def macro_scores(confusion: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return precision, recall and F1, the mean over the classes that occur or are predicted.

    What has nothing to divide by, as the precision of a class that is never predicted, is 0.
    """
    right = np.diag(confusion).astype(float)
    of_class, as_class = confusion.sum(axis=1), confusion.sum(axis=0)
    occurs = (of_class + as_class) > 0
    precision = right / np.maximum(1, as_class)
    recall = right / np.maximum(1, of_class)
    f1 = 2 * right / np.maximum(1, of_class + as_class)
    return tuple(float(one[occurs].mean()) for one in (precision, recall, f1))  # type: ignore[return-value]


@dataclass(frozen=True)
class _Scores:
    """How well a model does, see ``Row``."""

    accuracy: Measured | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    confusion: tuple[tuple[int, ...], ...] = ()


def _scored(predicted: NDArray[np.int64], dataset: Dataset) -> _Scores:
    confusion = confusion_of(dataset.y_test, predicted, len(dataset.classes))
    share = float(np.mean(predicted == dataset.y_test))
    return _Scores(
        wilson(share, len(dataset.y_test)),
        *macro_scores(confusion),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
    )


def converted(path: Path | None, folder: Path) -> Path:
    """Write a Keras model as floats, for the device."""
    if path is None:
        raise RecipeError(
            "has neither a Keras model nor a .tflite", where=str(folder), fix="report the stage"
        )
    with written_whole(folder / CONVERTED) as part:
        part.write_bytes(convert(load_model(path), "float32"))
    return folder / CONVERTED


def _on_board(
    path: Path, board: str, sample: NDArray[np.float32], choices: Mapping[str, Any]
) -> OnBoard:
    """Run one sample on one board."""
    name = load_board(board).name
    try:
        profile = run(path, board, inputs=[sample], **choices)
    except (ModelError, SimulationError) as error:
        return OnBoard(name, "CANNOT RUN", problem=str(error))
    return OnBoard(
        board=name,
        verdict=profile.verdict,
        flash_bytes=profile.used_bytes("flash"),
        ram_bytes=profile.used_bytes("ram"),
        arena_bytes=profile.arena_bytes,
        overflow_bytes=sum(region.overflow_bytes for region in profile.overflows),
        cycles=profile.cycles,
        latency_s=measure_cost(profile, "latency"),
        energy_j=measure_cost(profile, "energy"),
        grade=profile.timing.grade,
    )
