"""ONNX -> Graph. The file is untrusted: every length, shape and name is checked before its use.

``source`` turns protobuf into plain values, ``fold`` joins dequantize-operator-quantize groups as
ONNX Runtime does, ``builder`` makes the graph, and the other modules hold one function an ONNX
operator, filed under its name by ``registry.reads``.
"""

from __future__ import annotations

import numpy as np

from tinysim.compiler.graph import Graph, defects
from tinysim.errors import ModelError, UnsupportedOperatorError

_FIX_FILE = "export the model again, with fixed shapes and the data inside the file"
_FIX_OPERATORS = "replace these layers, or see `tinysim ops` for what is computed"

#: What numpy and Python raise on values that do not go together.
_DAMAGE = (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError)


def read(blob: bytes, name: str, sha256: str, where: str) -> Graph:
    """Read an ONNX file.

    Raises
    ------
    ModelError
        Nothing else, whatever the bytes are.
    """
    try:
        from google.protobuf.message import DecodeError

        from tinysim.compiler.readers.onnx import source
    except ImportError as error:
        raise ModelError(
            "the package onnx is not installed",
            where=where,
            fix="install it: pip install tinysim[onnx]",
        ) from error
    from tinysim.compiler.readers.onnx.builder import Builder

    problems: list[str] = []
    unsupported: list[str] = []
    try:
        parsed = source.parse(blob, problems)
        with np.errstate(all="ignore"):  # of constants that are not finite; kernels take any
            graph = Builder(parsed, len(blob), problems, unsupported).graph(name, sha256)
    except (*_DAMAGE, DecodeError) as error:
        what = source.shown(str(error))
        if not isinstance(error, source.Refusal):
            what = f"{type(error).__name__}: {what}"
        raise ModelError(
            f"not a readable ONNX file ({what})"[:300], where=where, fix=_FIX_FILE
        ) from error
    found = unsupported + problems + ([] if unsupported + problems else list(defects(graph)))
    if found:
        kind = UnsupportedOperatorError if unsupported else ModelError
        more = f"; and {len(found) - 20} more" if len(found) > 20 else ""
        raise kind(
            "; ".join(found[:20]) + more,
            where=where,
            fix=_FIX_OPERATORS if unsupported else _FIX_FILE,
        )
    return graph
