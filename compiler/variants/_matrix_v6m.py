"""The stream of words that the matrix worker of the Armv6-M kernels eats (``matrix_v6m.h``)."""

from __future__ import annotations

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.variants._requantize_v6m import V6mChannels
from tinysim.firmware import Target

#: Elements of a word of weights, and where their bytes lie in it.
QUAD = 4
_BYTES = (0, 3, 1, 2)


def runs_on_v6m(target: Target) -> bool:
    """Whether a core has nothing better: what Armv6-M has, all cores have."""
    return not target.has_dsp


def padded(weights: Array) -> Array:
    """Return ``weights [O, K]`` with K rounded up to a multiple of 4, zeros added."""
    rows, length = weights.shape
    found = np.zeros((rows, -(-length // QUAD) * QUAD), np.int64)
    found[:, :length] = weights
    return found


def is_packable(weights: Array) -> bool:
    """Tell whether two products in a row fit 16 bits, whatever the inputs are.

    ``weights [O, K]`` with K even.
    """
    return not (weights.reshape(len(weights), -1, 2) == -128).all(axis=2).any()


def stream(channels: V6mChannels) -> Array:
    """Return the words of all channels, int32: bias, weights, requantization."""
    quads = padded(channels.weights).reshape(len(channels.bias), -1, QUAD) & 0xFF
    words = sum(quads[..., i] << (8 * byte) for i, byte in enumerate(_BYTES))
    columns = [channels.bias[:, None], words, channels.low[:, None], channels.high[:, None]]
    joined = np.concatenate([np.asarray(c).astype(np.int64) for c in columns], axis=1)
    return (joined.ravel() & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
