"""Models and masks as files: read with clear errors, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinysim.errors import OutputError, RecipeError

if TYPE_CHECKING:
    import keras

Masks = Mapping[str, NDArray[np.bool_]]


def load_model(path: Path) -> keras.Model:
    """Read a model that Keras has saved; code in it is not run.

    Raises
    ------
    RecipeError
        If it cannot be read.
    """
    import keras

    # These register their layers, which a file may hold.
    import tinysim.lab.quantize.layers
    import tinysim.lab.zoo.layers  # noqa: F401

    try:
        model: keras.Model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its parts happen to raise
        raise RecipeError(
            f"cannot be read as a Keras model ({str(error).strip().splitlines()[0]})",
            where=str(path),
            fix="give a .keras file of built-in layers",
        ) from error
    return model


def save_model(model: keras.Model, path: Path) -> Path:
    """Write a model as ``.keras``, without its optimizer."""
    with written_whole(path) as part:
        model.save(part, include_optimizer=False)
    return path


def load_masks(path: Path) -> dict[str, NDArray[np.bool_]]:
    """Read masks: the path of a variable -> which of its elements are kept."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name].astype(bool) for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise RecipeError(
            f"cannot be read as masks ({error})", where=str(path), fix="prune again"
        ) from error


def save_masks(masks: Masks, path: Path) -> Path:
    """Write masks as ``.npz``."""
    with written_whole(path) as part:
        arrays: dict[str, Any] = dict(masks)
        np.savez_compressed(part, **arrays)
    return path


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give the name of a file to write, of the same suffix, which then takes its place.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-", suffix=path.suffix)
        os.close(handle)
        part = Path(name)
        try:
            yield part
            part.chmod(0o644)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            error.strerror or str(error), where=str(path), fix="give a place that can be written"
        ) from error
