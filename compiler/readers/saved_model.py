"""SavedModel folder -> TFLite -> Graph, by TensorFlow's own converter, as floats.

This is the only module that needs TensorFlow; it is imported when such a model is read. A
SavedModel is a program of TensorFlow's, and the converter runs parts of it (constants, tables):
convert folders that you trust only.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from tinysim.compiler.graph import Graph
from tinysim.compiler.readers import tflite
from tinysim.errors import ModelError

#: The file that makes a folder a SavedModel.
MAIN_FILE = "saved_model.pb"

#: The function that is the model.
SIGNATURE = "serving_default"

_FIX = f"check that TensorFlow converts its signature {SIGNATURE}, or give a .tflite file"


def read(folder: Path, name: str, sha256: str, where: str) -> Graph:
    """Convert a SavedModel and read what comes of it.

    Raises
    ------
    ModelError
        If TensorFlow is missing or cannot convert the model, or the compiler cannot take it.
    """
    try:
        with _silence():
            import tensorflow
    except ImportError as error:
        raise ModelError(
            "reading a SavedModel needs tensorflow",
            where=where,
            fix="pip install 'tinysim[keras]', or give a .tflite, .h5 or .keras file",
        ) from error
    try:
        with _silence():
            loaded = tensorflow.saved_model.load(str(folder))
            function = dict(loaded.signatures)[SIGNATURE]
            # `from_saved_model` would leave the weights of some models of Keras 3 variables.
            convert = tensorflow.lite.TFLiteConverter.from_concrete_functions
            blob = bytes(convert([function], loaded).convert())
    except Exception as error:  # whatever TensorFlow raises on models that it cannot take
        first = next(iter(str(error).splitlines()), "")
        raise ModelError(
            f"TensorFlow does not convert it ({type(error).__name__}: {first})"[:300],
            where=where,
            fix=_FIX,
        ) from error
    return tflite.read(blob, name, sha256, where)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep what TensorFlow prints, warns and logs, in Python and below it, off the terminal."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stdout.flush()
    sys.stderr.flush()
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        stack.enter_context(contextlib.redirect_stdout(nowhere))
        stack.enter_context(contextlib.redirect_stderr(nowhere))
        for descriptor in (1, 2):
            try:
                kept = os.dup(descriptor)
            except OSError:  # closed: nothing can be printed there
                continue
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, descriptor)
            os.dup2(nowhere.fileno(), descriptor)
        yield
