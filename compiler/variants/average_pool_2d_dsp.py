"""AVERAGE_POOL_2D on int8 for Armv7E-M: four channels a word, summed in halfwords."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, Variant
from tinysim.firmware import Target

#: As many int8 surely have a sum of 16 bits.
MAX_POSITIONS = 256


class AveragePool2DDsp(Variant):
    """The portable kernel's parameters and arithmetic, for windows that are not too large."""

    replaces = "average_pool_2d_s8"

    def runs_on(self, target: Target) -> bool:
        """Whether the core adds pairs of bytes to halfwords."""
        return target.has_dsp

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield the kernel; its cycles were fitted to three layers."""
        sizes = {name: int(value) for name, value in call.params.items()}
        positions = min(sizes["filter_h"], sizes["input_h"]) * min(
            sizes["filter_w"], sizes["input_w"]
        )
        if max(positions, sizes["count"]) > MAX_POSITIONS:
            return
        windows = sizes["batches"] * sizes["output_h"] * sizes["output_w"]
        cycles = windows * (60 + sizes["channels"] * (1.4 * positions + 12))
        yield Candidate("average_pool_2d_dsp", replace(call, kernel="average_pool_2d_dsp"), cycles)
