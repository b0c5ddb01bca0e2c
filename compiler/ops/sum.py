"""SUM: the sum over any axes."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.compiler.ops._reduce import Total


@dataclass(frozen=True)
class Sum(Total):
    """``out = sum in``, requantized for integers: the output has a scale of its own."""

    tflite = "SUM"
