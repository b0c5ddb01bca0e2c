"""RELU_0_TO_1: between zero and one; TFLM has it not."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.compiler.ops._relu import Rectifier


@dataclass(frozen=True)
class Relu0To1(Rectifier):
    """``out = min(max(x, 0), 1)``."""

    tflite = "RELU_0_TO_1"
    high = 1.0
