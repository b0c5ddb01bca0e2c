"""REDUCE_ANY over axes."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.compiler.ops._truth import Truth


@dataclass(frozen=True)
class ReduceAny(Truth):
    """``out = any of in``."""

    tflite = "REDUCE_ANY"
    settling = True
