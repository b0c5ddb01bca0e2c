"""AVERAGE_POOL_2D on int8 for Armv6-M: four channels a word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._matrix_v6m import runs_on_v6m
from tinysim.firmware import Target

#: Positions of a window whose bytes a half of a word can sum.
MAX_POSITIONS = 257
#: Cycles by the core's table: 13 for a word, about 40 to begin one and 130 to divide what it holds.
WORD_CYCLES, SUM_CYCLES, OUTPUT_CYCLES = 13, 40, 130


class AveragePool2D(Variant):
    """``ts_average_pool_2d_s8_v6m``: see its header."""

    replaces = "average_pool_2d_s8"

    def runs_on(self, target: Target) -> bool:
        """Whether the core is an Armv6-M one."""
        return runs_on_v6m(target)

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Take whole words of channels, and windows that they can sum."""
        positions = call.params["filter_h"] * call.params["filter_w"]
        if call.params["channels"] % 4 or positions > MAX_POSITIONS:
            return
        words = call.outputs[0].elements // 4
        each = WORD_CYCLES * positions + SUM_CYCLES + 4 * OUTPUT_CYCLES
        tuned = replace(call, kernel="average_pool_2d_s8_v6m")
        yield Candidate("average_pool_2d_s8_v6m", tuned, words * each)
