"""REDUCE_ALL over axes."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.compiler.ops._truth import Truth


@dataclass(frozen=True)
class ReduceAll(Truth):
    """``out = all of in``."""

    tflite = "REDUCE_ALL"
    settling = False
