"""SQUEEZE: dimensions of size 1 taken out; costs nothing on the device."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.compiler.ops._view import View


@dataclass(frozen=True)
class Squeeze(View):
    """The shape is the output's."""

    tflite = "SQUEEZE"
