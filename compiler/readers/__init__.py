"""Model file or folder -> Graph, chosen by suffix: one module a format."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
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
    ".pt2": "torch_export",
}

MAX_FILE_BYTES = 256 * 2**20


def read_model(path: Path) -> Graph:
    """Read a model file, or a SavedModel folder.

    Raises
    ------
    ModelError
        If the file cannot be read, is damaged, or holds what the compiler cannot take.
    """
    if path.is_dir():
        return _read_folder(path)
    where = path.name
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ModelError(
            f"no reader for the suffix {path.suffix!r}",
            where=where,
            fix=f"give a file ending in {', '.join(READERS)}",
        )
    blob = _bytes_of([path], where)[0]
    module = import_module(f"{__name__}.{reader}")
    graph: Graph = module.read(blob, path.stem, hashlib.sha256(blob).hexdigest(), where)
    return graph


def _read_folder(path: Path) -> Graph:
    """Read a SavedModel; its hash is of the names and contents of all its files."""
    module = import_module(f"{__name__}.saved_model")
    name = path.resolve().name
    if not (path / module.MAIN_FILE).is_file():
        raise ModelError(
            f"this is a folder, and no SavedModel: it has no {module.MAIN_FILE}",
            where=name,
            fix=f"give a SavedModel, or a file ending in {', '.join(READERS)}",
        )
    files = sorted(file for file in path.rglob("*") if file.is_file())
    digest = hashlib.sha256()
    for file, blob in zip(files, _bytes_of(files, name), strict=True):
        inner = file.relative_to(path).as_posix().encode("utf-8", "surrogateescape")
        for part in (inner, blob):
            digest.update(len(part).to_bytes(8, "little") + part)
    graph: Graph = module.read(path, name, digest.hexdigest(), name)
    return graph


def _bytes_of(files: Sequence[Path], where: str) -> list[bytes]:
    """Read files that are not too large all together."""
    try:
        if (size := sum(file.stat().st_size for file in files)) > MAX_FILE_BYTES:
            raise ModelError(
                f"{size:,} bytes are more than any of the boards hold",
                where=where,
                fix="give a model under 256 MiB",
            )
        return [file.read_bytes() for file in files]
    except OSError as error:
        path = error.filename or where
        raise ModelError(
            error.strerror or str(error), where=str(path), fix="check the path"
        ) from error
