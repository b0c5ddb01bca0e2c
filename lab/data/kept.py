"""Datasets that were got once, in the user's data folder: an .npz each, and its digest beside it.

Written whole or not at all: without the digest that belongs to it a file is as good as absent.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset, npz
from tinysim.lab.model_files import written_whole


def folder() -> Path:
    """Return where they lie: ``$XDG_DATA_HOME/tinysim/datasets``."""
    base = Path(os.environ.get("XDG_DATA_HOME", ""))
    if base.is_absolute():
        return base / "tinysim" / "datasets"
    try:
        return Path.home() / ".local" / "share" / "tinysim" / "datasets"
    except RuntimeError as error:
        raise RecipeError(
            "the user has no home", where="datasets", fix="set XDG_DATA_HOME, or give a path"
        ) from error


def load_kept(name: str) -> Dataset | None:
    """Return what was kept, or None."""
    path = folder() / f"{name}.npz"
    try:
        if _digest_path(path).read_text() != _digest_line(path):
            return None
    except OSError:
        return None
    return npz.read(path)


def keep(dataset: Dataset, place: Path | None = None) -> Path:
    """Write a dataset into a folder, the user's own if not given, and return its path."""
    path = (place or folder()) / f"{dataset.name}.npz"
    with written_whole(path) as part:
        np.savez_compressed(
            part,
            x_train=dataset.x_train,
            y_train=dataset.y_train,
            x_test=dataset.x_test,
            y_test=dataset.y_test,
            classes=np.array(dataset.classes),
            source=np.array(dataset.source),
        )
    with written_whole(_digest_path(path)) as part:
        part.write_text(_digest_line(path))
    return path


def _digest_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _digest_line(path: Path) -> str:
    """Return what ``sha256sum`` would."""
    with path.open("rb") as stream:
        return f"{hashlib.file_digest(stream, 'sha256').hexdigest()}  {path.name}\n"
