"""RESHAPE: the same bytes under another shape; costs nothing on the device."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.compiler.ops._view import View


@dataclass(frozen=True)
class Reshape(View):
    """The shape is the output's; an operand that gives it too is not read."""

    tflite = "RESHAPE"
