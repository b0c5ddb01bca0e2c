"""The stream of words that the matrix worker of the DSP kernels eats (``matrix_s8_dsp.h``)."""

from __future__ import annotations

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.variants._requantize import ShortScaling

#: Output channels of a group.
GROUP = 4


def padded_rows(weights: Array) -> Array:
    """Return ``weights [O, K]`` as int32 with K rounded up to a multiple of 4, zeros added."""
    rows, length = weights.shape
    found = np.zeros((rows, -(-length // 4) * 4), np.int32)
    found[:, :length] = weights
    return found


def grouped(channels: int, has_overlap: bool) -> Array:
    """Return the channels of each group, ``[groups, 4]``; -1 where there is none.

    With overlap no group has such places: the second one begins within the first instead.
    """
    count = -(-channels // GROUP)
    first = np.arange(count) * GROUP
    if has_overlap and channels % GROUP:
        first[1:] -= GROUP - channels % GROUP
    index = first[:, None] + np.arange(GROUP)
    index[index >= channels] = -1
    return index


def is_packable(weights: Array, groups: Array) -> bool:
    """Tell whether two channels fit a half, and ``256 * A`` 32 bits, whatever the input is.

    ``weights [O, K]``; the sums begin with the bias of B, which may wrap.
    """
    rows = _with_absent(weights, groups)
    halves = 256 * rows[:, 0::2] + rows[:, 1::2]
    reach = 256 * 128 * np.abs(rows[:, 0::2]).sum(axis=2)
    return bool((halves >= -(2**15)).all() and (halves < 2**15).all() and (reach < 2**31).all())


def stream(
    weights: Array,
    biases: Array,
    groups: Array,
    scaling: ShortScaling | None,
    *,
    moves: bool = False,
    is_wide: bool = False,
) -> Array:
    """Return the words, int32, of all groups.

    Parameters
    ----------
    weights, biases
        ``[O, K]`` with K a multiple of 4, and ``[O]`` with the input's zero point folded in.
    groups
        Channels of each group, see ``grouped``.
    scaling
        Multipliers and powers; None for workers that store sums.
    moves
        Whether a word behind a group says how far the output moves on.
    is_wide
        A channel has its weights to itself, 16 bits each.
    """
    rows = _with_absent(weights, groups)
    sums = _with_absent(biases[:, None], groups)[..., 0]
    if not is_wide:
        rows = 256 * rows[:, 0::2] + rows[:, 1::2]
    # Of each four elements the kernel takes the first and the third, then the other two.
    quads = rows.reshape(*rows.shape[:2], -1, 4)[..., [0, 2, 1, 3]]
    words = (quads[..., 0::2] & 0xFFFF) | (quads[..., 1::2] << 16)
    pieces = [sums[:, 1::2], words.transpose(0, 2, 3, 1).reshape(len(groups), -1)]
    if is_wide:
        pieces.insert(1, sums[:, 0::2])
    elif scaling is None:
        pieces.append(sums[:, 0::2])
    else:
        both = np.stack([scaling.multiplier[groups], scaling.power[groups]], axis=2)
        for first in (0, 2):
            pieces += [sums[:, first, None], both[:, first], both[:, first + 1]]
    if moves:
        ends = np.append(groups[1:, 0], groups[-1, -1] + 1)
        pieces.append((ends - groups[:, 0])[:, None])
    return (np.concatenate(pieces, axis=1).ravel() & 0xFFFFFFFF).astype(np.uint32).view(np.int32)


def _with_absent(values: Array, groups: Array) -> Array:
    """Return ``values [O, ..]`` by group, as int64 ``[groups, 4, ..]``; 0 where there is none."""
    found: Array = values.astype(np.int64)[groups]
    found[groups < 0] = 0
    return found
