"""Canonical Huffman codes, and the bits that they are written in.

A canonical code is told by the lengths of its words alone: words of one length are consecutive
numbers, in the order of their symbols. Bits go into bytes from the highest one down.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

#: A decoder that fills a window of 32 bits by bytes always has as many.
LONGEST_WORD_BITS = 24
#: Values that are written at a time: each bit takes some bytes meanwhile.
_CHUNK = 2**16


def code_lengths(counts: Integers) -> Integers:
    """Return the length of each symbol's word; 0 for symbols that do not occur.

    A lone symbol takes a word of one bit. Words that would be too long get shorter at the cost of
    others.
    """
    lengths = _shortest(counts)
    while lengths.max() > LONGEST_WORD_BITS:
        counts = (counts + 1) // 2
        lengths = _shortest(counts)
    return lengths


def _shortest(counts: Integers) -> Integers:
    """Return the lengths that Huffman's method finds."""
    heap = [(int(count), symbol, [symbol]) for symbol, count in enumerate(counts) if count]
    lengths = np.zeros(len(counts), np.int64)
    if len(heap) == 1:
        lengths[heap[0][2]] = 1
    heapq.heapify(heap)
    while len(heap) > 1:
        (rare, order, left), (common, _, right) = heapq.heappop(heap), heapq.heappop(heap)
        lengths[left + right] += 1
        heapq.heappush(heap, (rare + common, order, left + right))
    return lengths


def code_words(lengths: Integers) -> Integers:
    """Return the word of each symbol as a number of ``lengths`` bits."""
    words = np.zeros(len(lengths), np.int64)
    word = previous = 0
    for symbol in _canonical_order(lengths):
        word <<= int(lengths[symbol]) - previous
        words[symbol], previous = word, int(lengths[symbol])
        word += 1
    return words


def _canonical_order(lengths: Integers) -> Integers:
    """Return the symbols that occur, by length and then by number."""
    used = np.flatnonzero(lengths)
    return used[np.argsort(lengths[used], kind="stable")]


@dataclass
class BitWriter:
    """Bits in the order in which they come."""

    _parts: list[NDArray[np.uint8]] = field(default_factory=list)
    bits: int = 0

    def put(self, values: Integers, widths: Integers) -> int:
        """Write each value in as many bits as its width says; return the bits of all."""
        before = self.bits
        for start in range(0, len(values), _CHUNK):
            part = slice(start, start + _CHUNK)
            ends = np.cumsum(widths[part])
            shifts = np.repeat(ends, widths[part]) - 1 - np.arange(ends[-1])
            bits = np.repeat(values[part], widths[part]) >> shifts & 1
            self._parts.append(bits.astype(np.uint8))
            self.bits += len(bits)
        return self.bits - before

    def put_each(self, width: int, values: Integers) -> int:
        """Write values in the same number of bits."""
        return self.put(values, np.full(len(values), width, np.int64))

    def append(self, other: BitWriter) -> None:
        """Write what another has."""
        self._parts += other._parts
        self.bits += other.bits

    def to_bytes(self) -> bytes:
        """Return everything, the last byte filled up with zeros."""
        return np.packbits(np.concatenate(self._parts)).tobytes() if self._parts else b""


class BitReader:
    """What a ``BitWriter`` wrote, from the first bit on."""

    def __init__(self, data: bytes) -> None:
        self._bits = np.unpackbits(np.frombuffer(data, np.uint8))
        self._next = 0

    def take_each(self, width: int, count: int) -> Integers:
        """Return values that were written in ``width`` bits each."""
        end = self._next + width * count
        bits = self._bits[self._next : end].reshape(count, width).astype(np.int64)
        self._next = end
        return bits @ (1 << np.arange(width, dtype=np.int64)[::-1])

    def take(self, width: int) -> int:
        """Return one value."""
        return int(self.take_each(width, 1)[0])

    def symbol(self, code: Decoder) -> int:
        """Return the symbol whose word comes next."""
        word = first = index = 0
        for count in code.counts:
            word = word << 1 | int(self._bits[self._next])
            self._next += 1
            first <<= 1
            if word - first < count:
                return code.symbols[index + word - first]
            first, index = first + count, index + count
        raise ValueError("these bits are no word of the code")


@dataclass(frozen=True)
class Decoder:
    """Words of a canonical code: how many there are of 1, 2, ... bits, and their symbols."""

    counts: tuple[int, ...]
    symbols: tuple[int, ...]

    @classmethod
    def of(cls, lengths: Integers) -> Decoder:
        """Return what decodes the code with these lengths."""
        counts = np.bincount(lengths)[1:]
        return cls(tuple(counts.tolist()), tuple(_canonical_order(lengths).tolist()))
