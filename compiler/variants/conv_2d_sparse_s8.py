"""CONV_2D on int8 without the zeros of its weights, for any core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, SparseCode, Variant
from tinysim.compiler.variants._convolution import overlaps
from tinysim.compiler.variants._sparse import (
    GEOMETRY,
    MOST_GATHERED,
    OUTPUT,
    ConvolutionCycles,
    Lines,
    as_rows,
    encodings,
    has_gaps,
)
from tinysim.firmware import Target

#: Outputs that are summed up at a time, and what inputs are raised by, as the kernel has them.
LANES, RAISED = 8, 128
#: With readers of two encodings; by the linker's map, of M0+ and M4.
CODE = SparseCode(layer_bytes=500, shared_bytes=850)
#: A Cortex-M4 and an M0+, fitted to windows of 1x1 to 5x5 on 7x7 to 24x24 pixels with 5 to 50 % of
#: non-zeros, which they meet within 10 %.
M4 = ConvolutionCycles(
    {"crs16": (12.5, 0.0), "crs8": (16.4, 0.0), "runs": (19.5, 0.0), "bitmap": (15.7, 1.2)},
    output=55.0,
    lanes=LANES,
    turn=21.4,
    half_turn=16.3,
    gathered=2.4,
    column=72.0,
)
M0PLUS = ConvolutionCycles(
    {"crs16": (21.4, 0.0), "crs8": (26.4, 0.0), "runs": (27.1, 0.0), "bitmap": (29.3, 3.9)},
    output=102.0,
    lanes=LANES,
    turn=39.1,
    half_turn=26.1,
    gathered=1.5,
    column=96.0,
)


class Conv2DSparse(Variant):
    """Weights of which an eighth and more are zero: no groups, no dilation along the rows."""

    replaces = "conv_2d_s8"

    def runs_on(self, target: Target) -> bool:
        """C, and loops for any core."""
        return True

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield one an encoding."""
        p = {key: int(value) for key, value in call.params.items()}
        if has_gaps(p):
            return
        p = as_rows(p)
        lines = Lines.of(p)
        weights = in_lines(call.constants[0], lines)
        if lines.size > MOST_GATHERED or not is_divided(weights.shape[1], lines.taps):
            return
        cycles = M4 if target.has_dsp else M0PLUS
        for coded, sparse, channels in encodings(call, weights, RAISED):
            tuned = replace(
                call,
                kernel="conv_2d_sparse_s8",
                params={
                    **{key: p[key] for key in GEOMETRY},
                    "tile": lines.tile,
                    "lines": lines.lines,
                    "line": lines.line,
                    "line_taps": lines.taps,
                    **coded,
                    "list_length": sparse.longest,
                    "padding": -p["input_offset"],
                    **{key: call.params[key] for key in OUTPUT},
                },
                constants=(sparse.codes, sparse.values, sparse.counts, channels),
                scratch_bytes=4 * (sparse.longest + 1) + lines.size + LANES,
                overlaps=overlaps(call, lines.tile),
            )
            name = f"conv_2d_sparse_s8_{sparse.encoding}"
            yield Candidate(name, tuned, cycles.of_tiles(sparse, p, lines), sparse=CODE)


def in_lines(filters: Array, lines: Lines) -> Array:
    """Return filters ``[O, H, W, C]`` in the order in which inputs are gathered, by row.

    Lines that see fewer columns than others have zeros for what they lack.
    """
    outputs, height, width, channels = filters.shape
    padded = np.zeros((outputs, height, lines.taps * lines.lines, channels), np.int8)
    padded[:, :, :width] = filters
    split = padded.reshape(outputs, height, lines.taps, lines.lines, channels)
    return split.transpose(0, 1, 3, 4, 2).reshape(outputs, -1)


def is_divided(length: int, taps: int) -> bool:
    """Whether the kernel's multiplication gives the line of every position of a filter."""
    positions = np.arange(length)
    found = positions * (-(-(2**16) // taps)) >> 16
    return bool(length <= 2**16 // taps * taps and (found == positions // taps).all())
