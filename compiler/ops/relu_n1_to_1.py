"""RELU_N1_TO_1: between minus one and one; TFLM has it fused only."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.compiler.ops._relu import Rectifier


@dataclass(frozen=True)
class ReluN1To1(Rectifier):
    """``out = min(max(x, -1), 1)``."""

    tflite = "RELU_N1_TO_1"
    low = -1.0
    high = 1.0
