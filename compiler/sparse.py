"""Weights without their zeros: the encodings that ``kernels/sparse.h`` reads.

A matrix is stored by row as codes, which say where the non-zeros are, and as their values, of int8
or float32. With a share d of non-zeros, the codes of a weight take about

- ``crs16``: 2 d bytes. Compressed row storage with columns of 16 bits;
- ``crs8``: d bytes, and a value of 0 to come over gaps that are longer than 255;
- ``runs``: d / 2 bytes. A gap takes four bits; where it is longer than 14, others before them;
- ``bitmap``: 1/8 byte, whatever d is. Wins from a quarter of non-zeros on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array

#: In the order of the enumeration in the kernels.
ENCODINGS = ("crs16", "crs8", "runs", "bitmap")
#: What counts of codes, and columns of CRS, must fit.
_MOST = 2**16 - 1


@dataclass(frozen=True, eq=False)
class Sparse:
    """An encoded matrix ``[rows, length]``.

    ``codes`` are uint8, for crs16 uint16; ``values`` are of the weights' type; ``counts`` uint16,
    the codes of each row, or of every row if there is one only. No array is ever empty, as C wants
    it.
    """

    encoding: str
    rows: int
    length: int
    codes: Array
    values: Array
    counts: Array
    #: The most values that a row has.
    longest: int

    @property
    def size_bytes(self) -> int:
        """Flash that the three arrays take."""
        return self.codes.nbytes + self.values.nbytes + self.counts.nbytes


def encode(weights: Array, encoding: str) -> Sparse | None:
    """Return ``weights [rows, length]`` encoded; None if a row is too long for it."""
    rows, length = weights.shape
    codes, values = zip(*(_ROW[encoding](row) for row in weights), strict=True)
    counts = np.array([len(row) for row in codes])
    if counts.max() > _MOST or (encoding == "crs16" and length > _MOST + 1):
        return None
    if encoding == "bitmap":
        counts = counts[:1]
    return Sparse(
        encoding,
        rows,
        length,
        codes=_joined(codes),
        values=_joined(values),
        counts=counts.astype(np.uint16),
        longest=max(map(len, values)),
    )


def decode(sparse: Sparse) -> Array:
    """Return the weights, as the kernels read them.

    Raises
    ------
    ValueError
        If codes or values end before the last row does, or a value lies behind its row.
    """
    weights = np.zeros((sparse.rows, sparse.length), sparse.values.dtype)
    is_absolute = sparse.encoding == "crs16"
    codes = iter(sparse.codes.tolist())
    values = iter(sparse.values.tolist())
    for row, count in zip(
        weights, np.broadcast_to(sparse.counts, sparse.rows).tolist(), strict=True
    ):
        position = 0
        for _ in range(count):
            code = next(codes, None)
            if code is None:
                raise ValueError("codes end before their row does")
            for skip, has_value in _STEPS[sparse.encoding](code):
                position = skip if is_absolute else position + skip
                if has_value:
                    value = next(values, None)
                    if value is None or position >= sparse.length:
                        raise ValueError("a value is missing, or lies behind its row")
                    row[position] = value
                    position += 1
    return weights


def _crs16(row: Array) -> tuple[Array, Array]:
    """Return columns and values."""
    places = np.flatnonzero(row)
    return places.astype(np.uint16), row[places]


def _crs8(row: Array) -> tuple[Array, Array]:
    """Return gaps and values; a longer gap has zeros in between."""
    places, gaps = _gaps(row)
    turns = gaps // 256
    ends = np.cumsum(turns + 1) - 1
    size = len(places) + int(turns.sum())
    codes, values = np.full(size, 255, np.uint8), np.zeros(size, row.dtype)
    codes[ends], values[ends] = gaps % 256, row[places]
    return codes, values


def _runs(row: Array) -> tuple[Array, Array]:
    """Return gaps in pairs of four bits, and values."""
    places, gaps = _gaps(row)
    turns = gaps // 15
    size = len(places) + int(turns.sum())
    nibbles = np.full(size + size % 2, 15, np.uint8)
    nibbles[np.cumsum(turns + 1) - 1] = gaps % 15
    return nibbles[0::2] | nibbles[1::2] << 4, row[places]


def _bitmap(row: Array) -> tuple[Array, Array]:
    """Return a bit a weight, and values."""
    return np.packbits(row != 0, bitorder="little"), row[row != 0]


def _gaps(row: Array) -> tuple[Array, Array]:
    """Return where the non-zeros are, and how many zeros lie before each."""
    places = np.flatnonzero(row)
    return places, np.diff(places, prepend=-1) - 1


def _joined(parts: tuple[Array, ...]) -> Array:
    """Return everything behind each other, and a zero if that is nothing."""
    joined = np.concatenate(parts)
    return joined if len(joined) else np.zeros(1, joined.dtype)


_ROW = {"crs16": _crs16, "crs8": _crs8, "runs": _runs, "bitmap": _bitmap}

#: What a code means: steps of how far to go on, and whether a value lies there.
_STEPS: dict[str, Callable[[int], list[tuple[int, bool]]]] = {
    "crs16": lambda code: [(code, True)],
    "crs8": lambda code: [(code, True)],
    "runs": lambda code: [(skip, skip != 15) for skip in (code & 15, code >> 4)],
    "bitmap": lambda code: [(0, True) if code >> i & 1 else (1, False) for i in range(8)],
}
