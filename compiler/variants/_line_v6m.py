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

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.quantize import requantize_as
from tinysim.firmware import Target

#: Bits of the slope's fraction: a product of the fraction and of a sum must fit 32 bits.
FRACTION_BITS = 14
#: The whole part of a slope is read as 16 bits.
MAX_SLOPE = 2**16 - 1
#: Changes of the fraction that are tried in turn, and bits that the shift is made smaller by.
NUDGES = (0, 1, -1, 2, -2, 4, -4)
SHORTER = (0, 1, 2, 3)


@dataclass(frozen=True, eq=False)
class Line:
    """Numbers by channel: ``z = (sum * whole + (sum * fraction >> 14) + start) >> shift``.

    Limited to ``[0, activation_max - activation_min]``, ``z + activation_min`` is the output. Where
    the reference rounds negative numbers otherwise, ``drop`` is subtracted before the shift from
    what is below ``middle``; it is 0 if one line does for all.
    """

    whole: Array
    fraction: Array
    start: Array
    shift: Array
    drop: Array
    middle: Array


def fit_lines(
    scaled: Callable[[Array], Array],
    slopes: Array,
    sums: tuple[Array, Array],
    offset: int,
    activation: tuple[int, int],
    *,
    may_drop: bool = False,
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
    may_drop
        Whether two parallel lines are good enough, see ``Line``.
    """
    least, most = activation
    low, high = (ends.astype(np.int64)[:, None] for ends in sums)
    levels = np.arange(least + 1, most + 1)
    steps = _steps(scaled, low, high, levels)
    ends = scaled(np.concatenate([low, high], axis=1)) - least
    top = np.maximum(np.abs(ends).max(axis=1, initial=0), 1) + 2.0
    longest = np.floor(np.minimum(31 - np.log2(top), 30))
    with np.errstate(divide="ignore"):
        longest = np.minimum(longest, np.floor(np.log2(MAX_SLOPE / slopes)))
    longest = np.where(slopes > 0, longest, 20).astype(np.int64)
    count = len(slopes)
    found = np.zeros((6, count), np.int64)
    is_open = np.ones(count, bool)
    for shorter in SHORTER:
        shift = longest - shorter
        for nudge in NUDGES:
            slope = np.rint(slopes * 2.0 ** (shift + FRACTION_BITS)).astype(np.int64) + nudge
            slope = np.maximum(slope, 0)
            tried = _starts(slope, shift, (low, high), steps, levels - least, offset - least)
            is_good = is_open & tried[0] & (shift >= 1) & (may_drop | (tried[2] == 0))
            row = np.stack(
                [slope >> FRACTION_BITS, slope % 2**FRACTION_BITS, tried[1], shift, *tried[2:]]
            )
            found[:, is_good] = row[:, is_good]
            is_open &= ~is_good
            if not is_open.any():
                return Line(*found.astype(np.int32))
    return None


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


def _starts(
    slope: Array,
    shift: Array,
    sums: tuple[Array, Array],
    steps: Array,
    levels: Array,
    zero: int,
) -> tuple[Array, Array, Array, Array]:
    """Return whether lines of these slopes exist, their starts, drops and middles."""
    low, high = sums
    whole, fraction = (slope >> FRACTION_BITS)[:, None], (slope % 2**FRACTION_BITS)[:, None]

    def grown(sums: Array) -> Array:
        risen: Array = sums * whole + ((sums * fraction) >> FRACTION_BITS)
        return risen

    wanted = levels << shift[:, None]
    # Where a level is reached the line must be as high, one sum before it must be lower.
    least = np.where(steps <= high, wanted - grown(np.minimum(steps, high)), -(2**40))
    most = np.where(steps > low, wanted - grown(np.maximum(steps - 1, low)) - 1, 2**40)
    is_above = levels > zero
    fits = np.int64(-(2**31)) - grown(low)[:, 0], np.int64(2**31 - 1) - grown(high)[:, 0]
    starts = []
    is_good = np.maximum(np.abs(low), np.abs(high))[:, 0] * fraction[:, 0] < 2**31
    for part in (np.ones_like(is_above), is_above, ~is_above):
        least_start = np.maximum(
            np.where(part, least, -(2**40)).max(axis=1, initial=-(2**40)), fits[0]
        )
        most_start = np.minimum(np.where(part, most, 2**40).min(axis=1, initial=2**40), fits[1])
        starts.append((least_start <= most_start, (least_start + most_start) >> 1))
    (is_one, one), (is_upper, upper), (is_lower, lower) = starts
    drop = np.where(is_one, 0, upper - lower)
    start = np.where(is_one, one, upper)
    middle = (np.int64(2 * zero + 1) << shift) >> 1
    has_two = is_upper & is_lower & (drop > 0) & (drop <= np.int64(1) << (shift - 1))
    has_two &= (np.abs(middle) < 2**31) & (grown(low)[:, 0] + start - drop >= -(2**31))
    is_good &= (is_one | has_two) & (np.abs(start) < 2**31)
    return is_good, start, drop, np.where(np.abs(middle) < 2**31, middle, 0)


def runs_on_v6m(target: Target) -> bool:
    """Whether a core has Armv6-M and nothing else."""
    return not target.has_dsp and target.mcpu in ("cortex-m0", "cortex-m0plus")


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
    return fit_lines(scaled, slopes, (low, high), offset, limits, may_drop=may_drop)
