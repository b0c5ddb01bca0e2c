"""The bytes that weights take when they are stored as Han et al. do, and decoded to be used.

After S. Han, H. Mao, W. J. Dally, Deep Compression (ICLR 2016), sections 2 to 4: a codebook of a
tensor's values, Huffman-coded indices into it, and Huffman-coded gaps between those that are not
zero. Each tensor is stored in the smallest of three forms:

- raw: 32 bits a value,
- dense: an index for each value,
- sparse: a gap and an index for each value that is not zero; a gap that is too long for its symbols
  is told by several, of which the highest means that no value follows.

Values come back bit by bit. This is a size in storage: what runs needs the weights decoded, see
``decode_cost``. Shapes and names are the architecture's: neither in the stream nor counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinysim.lab.huffman import BitReader, BitWriter, Decoder, Integers, code_lengths, code_words

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]

RAW, DENSE, SPARSE = range(3)
FORMS = ("raw", "dense", "sparse")
#: More values than that in a tensor are not worth a codebook.
MOST_VALUES = 256
_FORM_BITS, _BOOK_BITS, _COUNT_BITS, _GAP_WIDTH_BITS, _LENGTH_WIDTH_BITS = 2, 8, 32, 3, 3
_VALUE_BITS = 32
_GAP_WIDTHS = range(1, 9)


@dataclass(frozen=True)
class StoredTensor:
    """What each part of a stored tensor takes, in bits."""

    name: str
    form: str
    header_bits: int
    codebook_bits: int
    table_bits: int
    index_bits: int
    gap_bits: int

    @property
    def bits(self) -> int:
        """All of it."""
        parts = (self.header_bits, self.codebook_bits, self.table_bits)
        return sum(parts) + self.index_bits + self.gap_bits


@dataclass(frozen=True)
class Stored:
    """Weights as they are stored; the last byte of ``data`` may be filled up."""

    data: bytes
    tensors: tuple[StoredTensor, ...]

    @property
    def bits(self) -> int:
        """What all tensors take."""
        return sum(tensor.bits for tensor in self.tensors)


_Written = tuple[BitWriter, StoredTensor]


def weights_of(model: keras.Model) -> dict[str, Floats]:
    """Return everything that a model has learned, by the variables' paths."""
    return {weight.path: np.asarray(weight.numpy(), np.float32) for weight in model.weights}


def encode(weights: Mapping[str, NDArray[Any]]) -> Stored:
    """Store weights, each tensor in the form that is smallest."""
    written = [_smallest(name, values) for name, values in weights.items()]
    whole = BitWriter()
    for writer, _ in written:
        whole.append(writer)
    return Stored(whole.to_bytes(), tuple(tensor for _, tensor in written))


def decode(data: bytes, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Floats]:
    """Return the weights that were stored, given the shapes in the same order."""
    reader = BitReader(data)
    return {name: _take(reader, prod(shape)).reshape(shape) for name, shape in shapes.items()}


def _smallest(name: str, values: NDArray[Any]) -> _Written:
    """Store one tensor in every form that can hold it; return the smallest."""
    patterns = np.ascontiguousarray(values, np.float32).reshape(-1).view(np.uint32)
    book, indices = np.unique(patterns, return_inverse=True)
    found = [_raw(name, patterns)]
    if 0 < len(book) <= MOST_VALUES:
        found.append(_dense(name, book, indices))
        if len(book) > 1 and book[0] == 0:  # the pattern of zero is the lowest
            found += [_sparse(name, book[1:], indices, width) for width in _GAP_WIDTHS]
    return min(found, key=lambda written: written[0].bits)


def _raw(name: str, patterns: NDArray[np.uint32]) -> _Written:
    writer = BitWriter()
    header = writer.put_each(_FORM_BITS, np.array([RAW]))
    bits = writer.put_each(_VALUE_BITS, patterns.astype(np.int64))
    return writer, StoredTensor(name, FORMS[RAW], header, 0, 0, bits, 0)


def _dense(name: str, book: NDArray[np.uint32], indices: Integers) -> _Written:
    writer = BitWriter()
    header = writer.put_each(_FORM_BITS, np.array([DENSE]))
    codebook = _put_book(writer, book)
    table, lengths = _put_table(writer, indices, len(book))
    bits = writer.put(code_words(lengths)[indices], lengths[indices])
    return writer, StoredTensor(name, FORMS[DENSE], header, codebook, table, bits, 0)


def _sparse(name: str, book: NDArray[np.uint32], indices: Integers, gap_width: int) -> _Written:
    """Write gaps and indices by turns, so that one pass decodes them."""
    positions = np.flatnonzero(indices)
    most = 2**gap_width - 1
    gaps = np.diff(positions, prepend=-1) - 1
    ends = np.cumsum(gaps // most + 1)
    symbols = np.full(int(ends[-1]), most, np.int64)
    symbols[ends - 1] = gaps % most
    chosen = indices[positions] - 1

    writer = BitWriter()
    header = writer.put_each(_FORM_BITS, np.array([SPARSE]))
    header += writer.put_each(_COUNT_BITS, np.array([len(positions)]))
    header += writer.put_each(_GAP_WIDTH_BITS, np.array([gap_width - 1]))
    codebook = _put_book(writer, book)
    gap_table, gap_lengths = _put_table(writer, symbols, most + 1)
    index_table, index_lengths = _put_table(writer, chosen, len(book))
    # An index comes behind the last gap symbol that leads to it.
    words = np.insert(code_words(gap_lengths)[symbols], ends, code_words(index_lengths)[chosen])
    widths = np.insert(gap_lengths[symbols], ends, index_lengths[chosen])
    writer.put(words, widths)
    return writer, StoredTensor(
        name,
        FORMS[SPARSE],
        header,
        codebook,
        gap_table + index_table,
        int(index_lengths[chosen].sum()),
        int(gap_lengths[symbols].sum()),
    )


def _put_book(writer: BitWriter, book: NDArray[np.uint32]) -> int:
    """Write the values themselves."""
    bits = writer.put_each(_BOOK_BITS, np.array([len(book) - 1]))
    return bits + writer.put_each(_VALUE_BITS, book.astype(np.int64))


def _put_table(writer: BitWriter, symbols: Integers, alphabet: int) -> tuple[int, Integers]:
    """Write the lengths of a code for symbols; an alphabet of one needs neither table nor bits."""
    if alphabet == 1:
        return 0, np.zeros(1, np.int64)
    lengths = code_lengths(np.bincount(symbols, minlength=alphabet))
    width = int(lengths.max()).bit_length()
    bits = writer.put_each(_LENGTH_WIDTH_BITS, np.array([width]))
    return bits + writer.put_each(width, lengths), lengths


def _take(reader: BitReader, size: int) -> Floats:
    """Read one tensor."""
    form = reader.take(_FORM_BITS)
    if form == RAW:
        return reader.take_each(_VALUE_BITS, size).astype(np.uint32).view(np.float32)
    patterns = np.zeros(size, np.uint32)
    if form == DENSE:
        book = _take_book(reader)
        code = _take_table(reader, len(book))
        patterns[:] = book[[_take_symbol(reader, code) for _ in range(size)]]
        return patterns.view(np.float32)
    count = reader.take(_COUNT_BITS)
    most = 2 ** (reader.take(_GAP_WIDTH_BITS) + 1) - 1
    book = _take_book(reader)
    gap_code, code = _take_table(reader, most + 1), _take_table(reader, len(book))
    position = -1
    for _ in range(count):
        while (gap := _take_symbol(reader, gap_code)) == most:
            position += most
        position += gap + 1
        patterns[position] = book[_take_symbol(reader, code)]
    return patterns.view(np.float32)


def _take_book(reader: BitReader) -> NDArray[np.uint32]:
    count = reader.take(_BOOK_BITS) + 1
    return reader.take_each(_VALUE_BITS, count).astype(np.uint32)


def _take_table(reader: BitReader, alphabet: int) -> Decoder | None:
    if alphabet == 1:
        return None
    return Decoder.of(reader.take_each(reader.take(_LENGTH_WIDTH_BITS), alphabet))


def _take_symbol(reader: BitReader, code: Decoder | None) -> int:
    return 0 if code is None else reader.symbol(code)
