"""RELU: nothing below zero."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.compiler.ops._relu import Rectifier


@dataclass(frozen=True)
class Relu(Rectifier):
    """``out = max(x, 0)``."""

    tflite = "RELU"
