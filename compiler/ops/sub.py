"""SUB: the difference of two tensors."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.compiler.ops._sum import Sum


@dataclass(frozen=True)
class Sub(Sum):
    """``out = clamp(a - b)``."""

    tflite = "SUB"
    sign = -1
