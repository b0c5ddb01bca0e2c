"""CONV_2D on int8 without the zeros of its weights, for any core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, SparseCode, Variant
from tinysim.compiler.variants._convolution import overlaps
from tinysim.compiler.variants._sparse import OUTPUT, encodings
from tinysim.firmware import Target

#: Outputs that are summed up at a time, as the kernel has it.
PIXELS = 4
#: Outputs of a row that are gathered for, if so many divide it: filters are decoded once a tile,
#: which takes RAM.
TILES = (*range(16, 33), *range(15, PIXELS - 1, -1))
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
        has_gaps = p["dilation_w"] != 1 and p["filter_w"] != 1
        length = p["filter_h"] * p["filter_w"] * p["input_c"]
        if p["filter_c"] != p["input_c"] or has_gaps or length > MOST_LENGTH:
            return
        if _is_pointwise(p):
            # Every pixel sees the one at its place: all images are one long row.
            pixels = p["batches"] * p["input_h"] * p["input_w"]
            p |= {"batches": 1, "input_h": 1, "input_w": pixels, "output_h": 1, "output_w": pixels}
        tile = _tile(p["output_w"])
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


def _is_pointwise(p: dict[str, int]) -> bool:
    """Whether every pixel of the output sees the pixel of the input at its place."""
    ones = ("filter_h", "filter_w", "stride_h", "stride_w")
    is_same = all(p[f"output_{axis}"] == p[f"input_{axis}"] for axis in "hw")
    return is_same and all(p[key] == 1 for key in ones) and not p["pad_top"] + p["pad_left"]


def _tile(width: int) -> int:
    """Return the first of ``TILES`` that divides a row; else the whole row."""
    return next((size for size in TILES if width % size == 0), width)
