"""RELU6: between zero and six."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.compiler.ops._relu import Rectifier


@dataclass(frozen=True)
class Relu6(Rectifier):
    """``out = min(max(x, 0), 6)``."""

    tflite = "RELU6"
    high = 6.0
