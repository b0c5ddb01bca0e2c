"""Model file -> Graph, chosen by suffix: one module a format."""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path

from tinysim.compiler.graph import Graph
from tinysim.errors import ModelError

#: Module that reads a suffix.
READERS = {
    ".tflite": "tflite",
    ".onnx": "onnx",
    ".h5": "keras",
    ".hdf5": "keras",
    ".keras": "keras",
}

MAX_FILE_BYTES = 256 * 2**20


def read_model(path: Path) -> Graph:
    """Read a model file.

    Raises
    ------
    ModelError
        If the file cannot be read, is damaged, or holds what the compiler cannot take.
    """
    where = path.name
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ModelError(
            f"no reader for the suffix {path.suffix!r}",
            where=where,
            fix=f"give a file ending in {', '.join(READERS)}",
        )
    try:
        if (size := path.stat().st_size) > MAX_FILE_BYTES:
            raise ModelError(
                f"{size:,} bytes are more than any of the boards hold",
                where=where,
                fix="give a model under 256 MiB",
            )
        blob = path.read_bytes()
    except OSError as error:
        raise ModelError(
            error.strerror or str(error), where=str(path), fix="check the path"
        ) from error
    module = import_module(f"{__name__}.{reader}")
    graph: Graph = module.read(blob, path.stem, hashlib.sha256(blob).hexdigest(), where)
    return graph
