"""Weights in block floating point, as kernels for cores without an FPU want them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array

#: Inputs of a block (``TS_BLOCK_LENGTH``).
LENGTH = 64
#: Bits of a number, and of its low half.
BITS, LOW_BITS = 24, 12
#: Powers of two that all weights of an input may be smaller than those of others: so many bits of
#: it may count less. Else the input is scaled.
MOST_APART = 8
#: The same of all weights of a channel, where inputs cannot be scaled.
CHANNELS_APART = 10


@dataclass(frozen=True, eq=False)
class Blocks:
    """Weights ``[O, K]`` as kernels want them.

    ``words`` is int32 ``[N]``, as ``block_f32.h`` says. ``scales`` is int8 ``[K]``, [-127, 0]:
    powers of two that inputs are multiplied by; ``[1]`` if none is.
    """

    words: Array
    scales: Array

    @property
    def is_scaled(self) -> bool:
        """Whether inputs are scaled."""
        return bool(self.scales.any())


def is_even(filters: Array) -> bool:
    """Whether finite filters ``[O, H, W, C]`` have no channel of small weights only, but zeros."""
    sizes = np.abs(filters.astype(np.float64))
    largest = sizes.max(axis=(1, 2, 3), keepdims=True)
    channels = (sizes / np.where(largest > 0, largest, 1.0)).max(axis=(0, 1, 2))
    return bool((channels[channels > 0] > 2.0**-CHANNELS_APART).all())


def blocks_of(rows: Array) -> Blocks:
    """Return finite weights ``[O, K]`` in blocks of fixed point."""
    weights = rows.astype(np.float64)
    scales = _scales(weights)
    weights = np.ldexp(weights, -scales)
    parts = []
    for start in range(0, weights.shape[1], LENGTH):
        block = weights[:, start : start + LENGTH]
        exponents = _exponents(np.abs(block).max(axis=1)) - BITS
        words = _words(np.rint(np.ldexp(block, -exponents[:, None])).astype(np.int64))
        pairs = len(words) // 2
        # The exponents of two outputs, then for each input the words of both.
        even, odd = exponents[0 : 2 * pairs : 2], exponents[1 : 2 * pairs : 2]
        heads = (even & 0xFFFF) | (odd << 16)
        both = words[: 2 * pairs].reshape(pairs, 2, block.shape[1]).transpose(0, 2, 1)
        pair_words = both.reshape(pairs, 2 * block.shape[1])
        parts.append(np.concatenate([heads[:, None], pair_words], axis=1).ravel())
        if len(words) % 2:
            parts.append(np.concatenate([exponents[-1:] & 0xFFFF, words[-1]]))
    stream = (np.concatenate(parts) & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    return Blocks(stream, scales.astype(np.int8) if scales.any() else np.zeros(1, np.int8))


def _scales(weights: Array) -> Array:
    """Return what each input is to be scaled by, so that none has small weights only.

    If no input is ``MOST_APART`` from the others, none is scaled.
    """
    largest = np.abs(weights).max(axis=1, keepdims=True)
    shares = np.abs(weights) / np.where(largest > 0, largest, 1.0)
    columns = shares.max(axis=0)
    scales = np.where(columns > 0, _exponents(columns) - _exponents(np.ones(1)), 0)
    return np.maximum(scales, -127) if scales.min() < -MOST_APART else np.zeros_like(scales)


def _exponents(numbers: Array) -> Array:
    """Return the least powers of two above numbers that are not negative; 0 for 0."""
    return np.frexp(numbers)[1].astype(np.int64)


def _words(numbers: Array) -> Array:
    """Return integers of 24 bits and a sign as ``high`` and ``low``."""
    high = (numbers + (1 << (LOW_BITS - 1))) >> LOW_BITS
    return np.asarray(high << 16 | (numbers - (high << LOW_BITS)) & 0xFFFF)
