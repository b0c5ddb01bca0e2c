"""Requantization on Armv6-M as a line: two multiplications, and the same bits for every sum.

The core multiplies 32 bits by 32 and keeps the low 32. What an int8 output needs of requantization,
offset and clamp is less than the reference computes: a staircase of at most 255 steps over the sums
that a channel's weights can reach. A line ``y = sum * slope + start`` whose whole part,
``y >> shift``, steps at the same sums is the same function. Where such a line exists is found here,
with the reference itself, whatever it rounds like and whatever its zero points are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.quantize import requantize_as

#: Bits of the slope's fraction: a product of the fraction and of a sum must fit 32 bits.
FRACTION_BITS = 14
#: The whole part of a slope is read as 16 bits.
MAX_SLOPE = 2**16 - 1
#: Changes of the fraction that are tried in turn, and bits that the shift is made smaller by.
NUDGES = sorted(range(-12, 13), key=abs)
SHORTER = (0, 1, 2, 3)
#: Further than any number here.
FAR = 2**50
#: What a drop's power of two is if nothing drops: the core shifts all bits out.
NO_DROP = 32


@dataclass(frozen=True, eq=False)
class Line:
    """Numbers by channel, int32 ``[C]``.

    ``y = sum * whole + (sum * fraction >> 14) + start``. Where the reference rounds what is below
    the zero point otherwise, ``1 << drop`` is taken off if y is below ``middle``, which is
    ``(zero point - activation_min + 1/2) << shift``; ``drop`` is ``NO_DROP`` elsewhere.
    ``y >> shift``, limited to ``[0, activation_max - activation_min]``, plus ``activation_min`` is
    the output.
    """

    whole: Array
    fraction: Array
    start: Array
    shift: Array
    drop: Array


@dataclass(frozen=True, eq=False)
class _Staircase:
    """Levels and the sums that reach them, of channels with sums from ``low`` to ``high``."""

    low: Array
    high: Array
    #: Levels above the least output, ``[L]``, and the least sum that reaches each, ``[C, L]``.
    levels: Array
    steps: Array
    #: The zero point above the least output.
    zero: int


def fit_lines(
    scaled: Callable[[Array], Array],
    slopes: Array,
    sums: tuple[Array, Array],
    offset: int,
    activation: tuple[int, int],
    drops: Array | None = None,
) -> Line | None:
    """Find the line of every channel, or return None if one has none.

    Parameters
    ----------
    scaled
        The reference: sums ``[C, K]`` (int64, inside the limits) to outputs before the clamp,
        rising with the sum.
    slopes
        About what an output grows by a sum's one, ``[C]``, not negative.
    sums
        Least and largest sum that each channel can have, ``[C]``.
    offset
        Zero point of the output.
    activation
        Least and largest output.
    drops
        Powers of two that each channel's ``drop`` may be less its ``shift``; None: no drops.
    """
    least, most = activation
    low, high = (ends.astype(np.int64)[:, None] for ends in sums)
    levels = np.arange(least + 1, most + 1)
    steps = _steps(scaled, low, high, levels)
    stairs = _Staircase(low, high, levels - least, steps, offset - least)
    longest = _longest_shifts(scaled(np.concatenate([low, high], axis=1)) - least, slopes)
    found = np.zeros((5, len(slopes)), np.int64)
    is_open = np.ones(len(slopes), bool)
    for drop in (None,) if drops is None else (None, drops):
        for shorter, nudge in product(SHORTER, NUDGES):
            shift = longest - shorter
            slope = np.rint(slopes * 2.0 ** (shift + FRACTION_BITS)).astype(np.int64) + nudge
            slope = np.maximum(slope, 0)
            power = np.full_like(shift, NO_DROP) if drop is None else shift + drop
            is_good, start = _starts(stairs, slope, shift, power)
            row = (slope >> FRACTION_BITS, slope % 2**FRACTION_BITS, start, shift, power)
            is_good &= is_open & (shift >= 1)
            found[:, is_good] = np.stack(row)[:, is_good]
            is_open &= ~is_good
            if not is_open.any():
                return Line(*found.astype(np.int32))
    return None


def _longest_shifts(ends: Array, slopes: Array) -> Array:
    """Return the largest shift with which the line's ends fit 32 bits, and its slope 16."""
    top = np.maximum(np.abs(ends).max(axis=1, initial=0), 1) + 2.0
    longest = np.floor(np.minimum(31 - np.log2(top), 30))
    with np.errstate(divide="ignore"):
        longest = np.minimum(longest, np.floor(np.log2(MAX_SLOPE / slopes)))
    return np.where(slopes > 0, longest, 20).astype(np.int64)


def _steps(scaled: Callable[[Array], Array], low: Array, high: Array, levels: Array) -> Array:
    """Return the least sum that reaches each level, one above ``high`` if none does: bisection."""
    below = np.broadcast_to(low - 1, (len(low), len(levels))).copy()
    above = np.broadcast_to(high + 1, below.shape).copy()
    while (above - below > 1).any():
        middle = np.clip((below + above) >> 1, low, high)
        is_reached = scaled(middle) >= levels
        is_inside = above - below > 1
        above = np.where(is_inside & is_reached, middle, above)
        below = np.where(is_inside & ~is_reached, middle, below)
    return above


def _starts(stairs: _Staircase, slope: Array, shift: Array, power: Array) -> tuple[Array, Array]:
    """Return which channels have a line of this slope, and where it starts: amid what would do."""
    low, high = stairs.low, stairs.high
    whole, fraction = (slope >> FRACTION_BITS)[:, None], (slope % 2**FRACTION_BITS)[:, None]

    def grown(sums: Array) -> Array:
        risen: Array = sums * whole + ((sums * fraction) >> FRACTION_BITS)
        return risen

    drop = np.where(power < NO_DROP, np.int64(1) << np.clip(power, 0, 31), 0)[:, None]
    wanted = (stairs.levels << shift[:, None]) + np.where(stairs.levels <= stairs.zero, drop, 0)
    # Where a level is reached the line must be as high, one sum before it must be lower.
    least = wanted - grown(np.minimum(stairs.steps, high))
    most = wanted - grown(np.maximum(stairs.steps - 1, low)) - 1
    least_start = np.where(stairs.steps <= high, least, -FAR).max(axis=1, initial=-FAR)
    most_start = np.where(stairs.steps > low, most, FAR).min(axis=1, initial=FAR)
    # No number on the way may need more than 32 bits: not what is compared with the middle either.
    middle = (np.int64(2 * stairs.zero + 1) << shift) >> 1
    lowest = -(2**31) + np.where(drop[:, 0] > 0, np.maximum(middle, drop[:, 0]), 0)
    least_start = np.maximum(least_start, lowest - grown(low)[:, 0])
    most_start = np.minimum(most_start, 2**31 - 1 - grown(high)[:, 0])
    start = (least_start + most_start) >> 1
    is_good = (least_start <= most_start) & (np.abs(start) < 2**31)
    is_good &= (np.maximum(np.abs(low), np.abs(high)) * fraction < 2**31).all(axis=1)
    is_good &= (power == NO_DROP) | ((power >= 0) & (power < shift) & (middle < 2**31))
    return is_good, start


def line_bytes(lines: Line, small: tuple[str, ...]) -> Array:
    """Return lines as the kernels read them: start, fraction, whole and ``small`` numbers."""
    parts = [
        (lines.start.astype("<i4"), 4),
        (lines.fraction.astype("<u2"), 2),
        (lines.whole.astype("<u2"), 2),
        *((getattr(lines, name).astype(np.int8), 1) for name in small),
    ]
    return np.concatenate([part.view(np.int8).reshape(-1, size) for part, size in parts], axis=1)


def channel_lines(call: KernelCall, *, may_drop: bool) -> Line | None:
    """Return the lines of a portable int8 depthwise call over sums of weight times input.

    The zero point of the input is taken off in the line; where there is no input it must stand in
    its stead.
    """
    weights, channels = call.constants
    weights = weights.reshape(-1, len(channels)).astype(np.int64)
    bias = channels["bias"] + int(call.params["input_offset"]) * weights.sum(axis=0)
    multiplier = channels["multiplier"].astype(np.int64)
    shift = channels["shift"].astype(np.int64)
    low = np.minimum(-128 * weights, 127 * weights).sum(axis=0)
    high = np.maximum(-128 * weights, 127 * weights).sum(axis=0)
    raised = np.maximum(np.abs(low + bias), np.abs(high + bias)) << np.maximum(shift, 0)
    if (raised >= 2**31).any():
        return None  # sums may wrap: the reference does not rise with them
    offset = int(call.params["output_offset"])

    def scaled(sums: Array) -> Array:
        rounding = int(call.params["rounding"])
        total = sums + bias[:, None]
        return requantize_as(total, multiplier[:, None], shift[:, None], rounding) + offset

    slopes = multiplier * 2.0 ** (shift - 31)
    limits = int(call.params["activation_min"]), int(call.params["activation_max"])
    # Rounding twice, halves away from zero, is one less below it of what the second shift divides.
    return fit_lines(scaled, slopes, (low, high), offset, limits, shift if may_drop else None)
