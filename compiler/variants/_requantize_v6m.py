"""The requantization of the Armv6-M kernels: when it gives the same bits, and its numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.quantize import ROUNDINGS, requantize

#: Accumulators are clamped to this if they may get too large for the digits.
LIMIT = 2**21 - 2**12
_END = 2**31


@dataclass(frozen=True, eq=False)
class V6mChannels:
    """What ``kernels/v6m/requantize_v6m.h`` wants to know of a call's channels.

    ``weights`` int64 ``[O, K]`` and ``bias`` int64 ``[O]`` give the accumulator
    ``bias + sum(weights * x)`` of inputs x as they are: their zero point is in the bias. Channels
    that are constant for every input have no weights any more.
    """

    weights: Array
    bias: Array
    #: The two words of a channel, as int32.
    low: Array
    high: Array
    #: Zero point of the output plus 128.
    offset: int
    #: Accumulators must be clamped to ``[-limit, limit]`` first; 0: they never get there.
    limit: int


def v6m_channels(call: KernelCall, weights: Array) -> V6mChannels | None:
    """Return the numbers for a portable int8 call, if they exist.

    They do if the reference's double rounding is wanted, filters have no zero point, and all
    channels that are not constant shift to the right.

    Parameters
    ----------
    call
        A call that has ``ts_channel`` rows as its second constant.
    weights
        ``[O, K]``, the weights that each output channel multiplies inputs by.
    """
    params, table = call.params, call.constants[1]
    if params["rounding"] != ROUNDINGS["double"] or params["filter_offset"]:
        return None
    weights = weights.astype(np.int64)
    bias = table["bias"] + weights.sum(axis=1) * int(params["input_offset"])
    multiplier, shift = table["multiplier"].astype(np.int64), table["shift"].astype(np.int64)
    zero_point, low_limit = int(params["output_offset"]), int(params["activation_min"])
    high_limit = int(params["activation_max"])

    def outputs(acc: Array) -> Array:
        scaled = requantize(acc, multiplier, shift) + zero_point
        clamped: Array = np.clip(scaled, low_limit, high_limit)
        return clamped

    least, most = accumulator_range(weights, bias)
    raised = np.maximum(np.abs(least), np.abs(most)) * 2.0 ** np.maximum(shift, 0)
    if (raised >= _END).any():
        return None
    ends = outputs(least), outputs(most)
    is_constant = ends[0] == ends[1]
    weights = np.where(is_constant[:, None], 0, weights)
    # Of 4 d times 2^30 / 2^31 and a shift by 1 comes d.
    bias = np.where(is_constant, 4 * (ends[0] - zero_point), bias)
    multiplier, shift = np.where(is_constant, 2**30, multiplier), np.where(is_constant, -1, shift)
    if (shift > -1).any():
        return None
    least, most = accumulator_range(weights, bias)
    limit = 0
    if (np.maximum(-least, most) > LIMIT).any():
        limit = LIMIT
        low_end, high_end = np.maximum(least, -limit), np.minimum(most, limit)
        if (outputs(low_end) != outputs(least)).any() or (outputs(high_end) != outputs(most)).any():
            return None
    first, second, third = _digits(multiplier)
    return V6mChannels(
        weights,
        bias,
        low=((second << 16) | (third & 0xFFFF)).astype(np.int32),
        high=((first << 16) | -shift).astype(np.int32),
        offset=zero_point + 128,
        limit=limit,
    )


def accumulator_range(weights: Array, bias: Array) -> tuple[Array, Array]:
    """Return the least and the largest ``bias + sum(weights * x)`` of int8 inputs x."""
    ends = weights * -128, weights * 127
    return bias + np.minimum(*ends).sum(axis=1), bias + np.maximum(*ends).sum(axis=1)


def _digits(multiplier: Array) -> tuple[Array, Array, Array]:
    """Return digits ``m1, m2, m3``: ``m = 2^21 * m1 + 2^10 * m2 + m3``."""
    third = ((multiplier + 2**9) & (2**10 - 1)) - 2**9
    rest = (multiplier - third) >> 10
    second = ((rest + 2**10) & (2**11 - 1)) - 2**10
    return (rest - second) >> 11, second, third
