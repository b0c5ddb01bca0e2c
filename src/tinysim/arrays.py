"""Arrays that the user gives, as files: inputs and labelled samples. Pickles are refused."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinysim.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray


#: What reading an array that is none may raise.
_DAMAGES = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs for a model of one input, and the class that each of them is of."""

    x: NDArray[Any]
    y: NDArray[Any]


def read_array(path: Path) -> Any:
    """Read a .npy file."""
    import numpy as np

    found = _load(path, "write it with numpy.save(path, array)")
    if not isinstance(found, np.ndarray):
        raise ModelError("an archive, not one array", where=str(path), fix="give a .npy file")
    return found


def read_samples(path: Path) -> Samples:
    """Read a .npz file of samples ``x`` and their classes ``y``."""
    import numpy as np

    fix = "write it with numpy.savez(path, x=samples, y=classes)"
    found = _load(path, fix)
    if isinstance(found, np.ndarray):
        raise ModelError("one array, not an archive of x and y", where=str(path), fix=fix)
    if missing := [name for name in ("x", "y") if name not in found.files]:
        raise ModelError(f"has no {' and no '.join(missing)}", where=str(path), fix=fix)
    try:
        x, y = found["x"], found["y"].squeeze()
    except _DAMAGES as error:
        raise ModelError(f"not readable ({error})", where=str(path), fix=fix) from error
    y = y.reshape(1) if y.ndim == 0 else y
    if y.dtype.kind not in "iu" or y.ndim != 1:
        what = f"y is {y.dtype} {list(y.shape)}, and not one whole number a sample"
        raise ModelError(what, where=str(path), fix="give the index of each sample's class")
    if x.ndim == 0 or len(x) != len(y) or not len(y):
        what = f"x is {list(x.shape)} and y {list(y.shape)}: not one class a sample"
        raise ModelError(what, where=str(path), fix="give as many classes as samples")
    return Samples(x, y)


def _load(path: Path, fix: str) -> Any:
    import numpy as np

    try:
        return np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
    except _DAMAGES as error:
        raise ModelError(f"not a readable array ({error})", where=str(path), fix=fix) from error
