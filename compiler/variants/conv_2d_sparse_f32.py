"""CONV_2D on float32 without the zeros of its weights, for any core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, SparseCode, Variant
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
#: A Cortex-M4F and an M0+, fitted to windows of 1x1 to 5x5 on 7x7 to 24x24 pixels with 7 and 40 %
#: of non-zeros, which they meet within 11 and 16 %. Without an FPU it is padding that is misjudged:
#: products of 0 take no call. Next to products lists take so little there that what encodings
#: differ by was fitted on its own; what they share is the int8 kernel's, roundly.
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
    {"crs16": (24.0, 0.0), "crs8": (25.2, 0.0), "runs": (26.2, 0.2), "bitmap": (28.5, 2.7)},
    output=147.0,
    lanes=1,
    turn=177.0,
    half_turn=0.0,
    gathered=3.0,
    column=96.0,
)


class Conv2DSparseF32(Variant):
    """Weights of which a thirty-second and more are zero: no groups, no dilation along the rows."""

    replaces = "conv_2d_f32"

    def runs_on(self, target: Target) -> bool:
        """Portable C, and a loop for FPUs."""
        return True

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield one an encoding."""
        p = {key: int(call.params[key]) for key in call.params if key not in LIMITS}
        if has_gaps(p):
            return
        p = as_rows(p)
        lines = Lines.of(p)
        if lines.size > MOST_GATHERED:
            return
        cycles = M4F if has_fpu(target) else M0PLUS
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
            yield Candidate(name, tuned, cycles.of_tiles(sparse, p, lines), sparse=CODE)
