"""What the sparse variants share: weights in all encodings, and biases with the zero point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.quantize import wrap_int32
from tinysim.compiler.sparse import ENCODINGS, Sparse, encode

#: Parameters of how int8 sums become outputs, which stay as they are.
OUTPUT = ("output_offset", "rounding", "activation_min", "activation_max")
#: The same of floats.
LIMITS = ("activation_min", "activation_max")
#: Sizes of a convolution that its kernel wants.
GEOMETRY = (
    *("batches", "input_h", "input_w", "input_c", "output_h", "output_w", "output_c"),
    *("filter_h", "filter_w", "stride_h", "stride_w", "dilation_h"),
    *("pad_top", "pad_left", "is_backward"),
)
#: Numbers that are gathered for a tile: lists have 16 bits for where one lies.
MOST_GATHERED = 2**16
#: Outputs of a row that a convolution gathers for, if so many divide it: filters are decoded once
#: a tile, which takes RAM.
TILES = (*range(16, 33), *range(15, 3, -1))


def encodings(
    call: KernelCall, weights: Array, raised: int = 0
) -> Iterator[tuple[dict[str, int], Sparse, Array]]:
    """Yield parameters, arrays and requantization of each encoding of int8 ``weights [O, K]``.

    Nothing where weights have a zero point of their own, or few of them are zero. The kernel adds
    ``raised`` to inputs before it multiplies them.
    """
    if call.params["filter_offset"] != 0:
        return
    channels = call.constants[1].copy()
    folded = (int(call.params["input_offset"]) - raised) * weights.sum(axis=1, dtype=np.int64)
    channels["bias"] = wrap_int32(channels["bias"].astype(np.int64) + folded)
    for coded, sparse in encoded(weights):
        yield coded, sparse, channels


def encoded(weights: Array) -> Iterator[tuple[dict[str, int], Sparse]]:
    """Yield parameters and arrays of each encoding of ``weights [O, K]``.

    Nothing where no encoding saves anything: a bit a weight says where the others are.
    """
    if 8 * weights.itemsize * (weights.size - np.count_nonzero(weights)) < weights.size:
        return
    for number, encoding in enumerate(ENCODINGS):
        sparse = encode(weights, encoding)
        if sparse is not None:
            yield {"encoding": number, "count_step": int(len(sparse.counts) > 1)}, sparse


def has_gaps(sizes: dict[str, int]) -> bool:
    """Whether what a window sees of a row has columns or channels between that it does not."""
    is_dilated = sizes["dilation_w"] != 1 and sizes["filter_w"] != 1
    return is_dilated or sizes["filter_c"] != sizes["input_c"]


def as_rows(sizes: dict[str, int]) -> dict[str, int]:
    """Return a convolution's sizes with all images as one long row, if pixels are apart in them."""
    ones = ("filter_h", "filter_w", "stride_h", "stride_w")
    is_same = all(sizes[f"output_{axis}"] == sizes[f"input_{axis}"] for axis in "hw")
    if not is_same or any(sizes[key] != 1 for key in ones) or sizes["pad_top"] + sizes["pad_left"]:
        return sizes
    pixels = sizes["batches"] * sizes["input_h"] * sizes["input_w"]
    ends = {"input_h": 1, "input_w": pixels, "output_h": 1, "output_w": pixels}
    return {**sizes, "batches": 1, **ends}


@dataclass(frozen=True)
class Lines:
    """How the kernels gather what a tile's windows see: rows, lines, channels, columns of a line.

    A line holds columns that lie a stride apart; what no window sees has none.
    """

    tile: int
    lines: int
    line: int
    #: Columns of a line that a window sees, or would if it were wider.
    taps: int
    #: Numbers in all.
    size: int

    @classmethod
    def of(cls, sizes: dict[str, int]) -> Lines:
        """Return how a convolution's inputs are gathered."""
        tile, lines = tile_of(sizes["output_w"]), min(sizes["stride_w"], sizes["filter_w"])
        taps = -(-sizes["filter_w"] // sizes["stride_w"])
        line = tile - 1 + taps
        return cls(tile, lines, line, taps, sizes["filter_h"] * lines * sizes["input_c"] * line)


@dataclass(frozen=True)
class Cycles:
    """What a kernel takes of a core, fitted to simulations.

    Of other cores than an M4 and an M0+ nobody has fitted any: they take those of the one whose
    code they run.
    """

    #: By encoding: a stored value and a weight, that are read.
    read: Mapping[str, tuple[float, float]]
    #: An output beside what it is the sum of.
    output: float

    def of(self, sparse: Sparse) -> float:
        """Return what reading all rows takes."""
        by_value, by_weight = self.read[sparse.encoding]
        return by_value * len(sparse.values) + by_weight * sparse.rows * sparse.length

    def of_rows(self, sparse: Sparse) -> float:
        """Return what a dense layer takes that multiplies values as it reads them."""
        return self.of(sparse) + self.output * sparse.rows


@dataclass(frozen=True)
class ConvolutionCycles(Cycles):
    """The same of a kernel that lists values, once a tile, and multiplies what it has gathered."""

    #: Outputs that are summed up at a time, and what that takes of a value; and of up to half.
    lanes: int
    turn: float
    half_turn: float
    #: A number that is gathered, and a column of a row of them.
    gathered: float
    column: float

    def of_tiles(self, sparse: Sparse, sizes: dict[str, int], lines: Lines) -> float:
        """Return what a convolution takes."""
        turns, rest = divmod(lines.tile, self.lanes)
        last = 0.0 if rest == 0 else self.half_turn if 2 * rest <= self.lanes else self.turn
        columns = sizes["filter_h"] * ((lines.tile - 1) * sizes["stride_w"] + sizes["filter_w"])
        tile = self.of(sparse) + (turns * self.turn + last) * len(sparse.values)
        tile += self.output * lines.tile * sparse.rows
        tile += self.gathered * lines.size + self.column * columns
        return tile * sizes["batches"] * sizes["output_h"] * sizes["output_w"] / lines.tile


def tile_of(width: int) -> int:
    """Return the first of ``TILES`` that divides a row; else the whole row."""
    return next((size for size in TILES if width % size == 0), width)
