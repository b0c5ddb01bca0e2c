"""CONV_2D on int8 without the zeros of its weights, for any core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, SparseCode, Variant
from tinysim.compiler.variants._convolution import overlaps
from tinysim.compiler.variants._sparse import OUTPUT, as_rows, encodings, has_gaps, tile_of
from tinysim.firmware import Target

#: Outputs that are summed up at a time, as the kernel has it.
PIXELS = 4
#: The list of a filter's values: positions have 24 bits.
MOST_LENGTH = 2**23
GEOMETRY = (
    *("batches", "input_h", "input_w", "input_c", "output_h", "output_w", "output_c"),
    *("filter_h", "filter_w", "stride_h", "stride_w", "dilation_h"),
    *("pad_top", "pad_left", "is_backward"),
)
#: With readers of two encodings; by the linker's map, of M0+ and M4.
CODE = SparseCode(layer_bytes=500, shared_bytes=600)
#: Cycles a non-zero of a pixel, and an output, on a Cortex-M4 and an M0+: fitted to 3x3 and 1x1
#: layers of 8x8 to 24x24 pixels with 5 to 50 % of non-zeros, which they meet within 22 %.
M4, M0PLUS = (6.3, 69.0), (9.7, 164.0)


class Conv2DSparse(Variant):
    """Weights of which an eighth and more are zero: no groups, no dilation along the rows."""

    replaces = "conv_2d_s8"

    def runs_on(self, target: Target) -> bool:
        """Portable C."""
        return True

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield one an encoding."""
        p = {key: int(value) for key, value in call.params.items()}
        length = p["filter_h"] * p["filter_w"] * p["input_c"]
        if has_gaps(p) or length > MOST_LENGTH:
            return
        p = as_rows(p)
        tile = tile_of(p["output_w"])
        columns = (max(tile, PIXELS) - 1) * p["stride_w"] + p["filter_w"]
        # As the kernel gathers: column by column.
        weights = call.constants[0].transpose(0, 2, 1, 3).reshape(p["output_c"], length)
        by_product, by_output = M4 if target.has_dsp else M0PLUS
        pixels = p["batches"] * p["output_h"] * p["output_w"]
        cycles = pixels * (by_product * np.count_nonzero(weights) + by_output * p["output_c"])
        for coded, sparse, channels in encodings(call, weights):
            tuned = replace(
                call,
                kernel="conv_2d_sparse_s8",
                params={
                    **{key: p[key] for key in GEOMETRY},
                    "tile": tile,
                    **coded,
                    "list_length": sparse.longest,
                    "padding": -p["input_offset"],
                    **{key: call.params[key] for key in OUTPUT},
                },
                constants=(sparse.codes, sparse.values, sparse.counts, channels),
                scratch_bytes=4 * sparse.longest + columns * p["filter_h"] * p["input_c"],
                overlaps=overlaps(call, tile),
            )
            name = f"conv_2d_sparse_s8_{sparse.encoding}"
            yield Candidate(name, tuned, cycles, sparse=CODE)
