"""TensorFlow without what its native parts say of themselves when they are loaded."""

from __future__ import annotations

import os
from pathlib import Path


def import_tensorflow() -> None:
    """Load TensorFlow and Keras; what stderr is told meanwhile is of no use to anyone."""
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        import keras  # noqa: F401
        import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
