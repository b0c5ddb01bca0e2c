"""CONV_2D on float32 without the zeros of its weights, for any core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, SparseCode, Variant
from tinysim.compiler.variants._block import is_even
from tinysim.compiler.variants._convolution import overlaps
from tinysim.compiler.variants._sparse import (
    GEOMETRY,
    LIMITS,
    MOST_GATHERED,
    ConvolutionCycles,
    Lines,
    as_rows,
    encoded,
    has_gaps,
)
from tinysim.compiler.variants._vfp import has_fpu
from tinysim.firmware import Target

#: Outputs that are summed up at a time, and bytes of a list's entry, as the kernel has them.
LANES, ENTRY_BYTES = 16, 8
#: With readers of two encodings; by the linker's map, of M0+ and M4.
CODE = SparseCode(layer_bytes=500, shared_bytes=1300)
WITHOUT_FPU = SparseCode(layer_bytes=500, shared_bytes=2000)
#: A Cortex-M4F and an M0+, fitted to windows of 1x1 to 5x5 on 7x7 to 24x24 pixels with 7 to 90 %
#: of non-zeros, which they meet within 11 and 21 %. Without an FPU two windows are computed at a
#: time.
M4F = ConvolutionCycles(
    {"crs16": (19.1, 0.0), "crs8": (20.2, 0.0), "runs": (21.7, 0.0), "bitmap": (21.3, 1.3)},
    output=34.0,
    lanes=LANES,
    turn=53.5,
    half_turn=34.3,
    gathered=3.4,
    column=68.0,
)
M0PLUS = ConvolutionCycles(
    {"crs16": (68.8, 0.0), "crs8": (70.2, 0.0), "runs": (71.6, 0.1), "bitmap": (69.6, 2.9)},
    output=197.0,
    lanes=2,
    turn=32.1,
    half_turn=32.1,
    gathered=55.4,
    column=89.5,
)


class Conv2DSparseF32(Variant):
    """Weights of which a thirty-second and more are zero: no groups, no dilation along the rows.

    Without an FPU no channel may have small weights only: its inputs may be large, and all have one
    exponent.
    """

    replaces = "conv_2d_f32"

    def runs_on(self, target: Target) -> bool:
        """Portable C, and a loop for FPUs."""
        return True

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield one an encoding."""
        p = {key: int(call.params[key]) for key in call.params if key not in LIMITS}
        if has_gaps(p) or not (has_fpu(target) or is_even(call.constants[0])):
            return
        p = as_rows(p)
        lines = Lines.of(p)
        if lines.size > MOST_GATHERED:
            return
        cycles, code = (M4F, CODE) if has_fpu(target) else (M0PLUS, WITHOUT_FPU)
        length = p["filter_h"] * p["filter_w"] * p["input_c"]
        for coded, sparse in encoded(call.constants[0].reshape(p["output_c"], length)):
            numbers = lines.size + LANES
            tuned = replace(
                call,
                kernel="conv_2d_sparse_f32",
                params={
                    **{key: p[key] for key in GEOMETRY},
                    "tile": lines.tile,
                    "lines": lines.lines,
                    "line": lines.line,
                    **coded,
                    "list_length": sparse.longest,
                    **{key: call.params[key] for key in LIMITS},
                },
                constants=(sparse.codes, sparse.values, sparse.counts, call.constants[1]),
                scratch_bytes=ENTRY_BYTES * sparse.longest + 4 * numbers + 2 * length,
                overlaps=overlaps(call, lines.tile),
            )
            name = f"conv_2d_sparse_f32_{sparse.encoding}"
            yield Candidate(name, tuned, cycles.of_tiles(sparse, p, lines), sparse=code)
