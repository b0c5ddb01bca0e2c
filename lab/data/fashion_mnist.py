"""Fashion-MNIST: 70,000 pieces of clothing (Xiao et al. 2017), from a package of Debian."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset, idx
from tinysim.lab.data.kept import load_kept

NAME = "fashion_mnist"
CLASSES = (
    *("T-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
_PACKAGE = "dataset-fashion-mnist"
_PLACE = Path("/usr/share/datasets/fashion-mnist")


def read() -> Dataset:
    """Return what was got before, or what Debian's package has installed."""
    return load_kept(NAME) or get()


def get(on_progress: Callable[[float, str], None] = lambda share, what: None) -> Dataset:
    """Return what Debian's package has installed."""
    on_progress(0.0, f"reading {_PLACE}")
    if not idx.is_here(_PLACE):
        raise RecipeError(
            f"{_PLACE} is not on this machine",
            where=NAME,
            fix=(
                f"apt-get install {_PACKAGE}; or without root: apt-get download {_PACKAGE} && "
                f"dpkg-deb -x {_PACKAGE}_*.deb fashion && "
                f"tinysim lab data get {NAME} --from fashion{_PLACE}"
            ),
        )
    return idx.read(_PLACE, NAME, CLASSES)
