"""EXPAND_DIMS: a dimension of size 1 put in; costs nothing on the device."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.compiler.ops._view import View


@dataclass(frozen=True)
class ExpandDims(View):
    """The shape is the output's; the operand that names the axis is not read."""

    tflite = "EXPAND_DIMS"
