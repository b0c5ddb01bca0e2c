"""PyTorch's exported programs (``.pt2``) -> ONNX -> Graph, by PyTorch's own exporter.

This is the only module that needs PyTorch; it is imported when such a model is read. Unlike all
other formats this one is not only data: ``torch.export.load`` unpickles parts of the file, which
can run any code that the file holds. So it is read only if the user says that it may run.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings

from tinysim.compiler.graph import Graph
from tinysim.compiler.readers import onnx
from tinysim.errors import ModelError

#: Set to 1, this says that the code in a model file may run.
TRUST = "TINYSIM_TRUST_MODELS"

_FIX = "check that torch.onnx.export takes it, or give an .onnx file"


def read(blob: bytes, name: str, sha256: str, where: str) -> Graph:
    """Convert an exported program and read what comes of it.

    Raises
    ------
    ModelError
        If PyTorch is missing or cannot convert the model, or the compiler cannot take it.
    """
    if os.environ.get(TRUST) != "1":
        raise ModelError(
            "a PyTorch program may run any code when it is read",
            where=where,
            fix=f"set {TRUST}=1 if you know who made the file, or give an .onnx file",
        )
    try:
        import onnxscript  # noqa: F401 (the exporter needs it, and says so late)
        import torch
    except ImportError as error:
        raise ModelError(
            f"reading a PyTorch program needs {error.name or 'torch'}",
            where=where,
            fix="pip install 'tinysim[torch]', or give an .onnx file",
        ) from error
    printed = io.StringIO()
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            warnings.simplefilter("ignore")
            exported = torch.export.load(io.BytesIO(blob))
            program = torch.onnx.export(exported, dynamo=True, verbose=False)
            converted = program.model_proto.SerializeToString()
    except Exception as error:  # whatever PyTorch raises on models that it cannot take
        first = next(iter(str(error).splitlines()), "")
        raise ModelError(
            f"PyTorch does not export it ({type(error).__name__}: {first})"[:300],
            where=where,
            fix=_FIX,
        ) from error
    return onnx.read(converted, name, sha256, where)
