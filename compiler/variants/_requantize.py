"""The short requantization of the tuned kernels: when it gives the same bits, and its numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.quantize import ROUNDINGS


@dataclass(frozen=True, eq=False)
class ShortScaling:
    """Numbers of ``ts_requantize_short`` (``kernels/dsp/dsp.h``), by channel, as int32 ``[O]``."""

    multiplier: Array
    power: Array
    #: Whether negative sums must be rounded away from zero: not if they are clamped anyway.
    has_sign: bool
    #: Whether saturating to int8 is all the clamping that there is.
    is_saturating: bool


def short_scaling(call: KernelCall) -> ShortScaling | None:
    """Return the numbers for a portable int8 call that has ``ts_channel`` rows, if they exist.

    They do if the reference's double rounding is wanted and every shift is to the right by 2 to 31:
    then they are exact for every accumulator.
    """
    channels = call.constants[1]
    live = channels["multiplier"] != 0
    shifts = -channels["shift"][live].astype(np.int64)
    is_short = call.params["rounding"] == ROUNDINGS["double"]
    if not is_short or (shifts < 2).any() or (shifts > 31).any():
        return None
    power = np.zeros(len(channels), np.int64)
    power[live] = np.int64(1) << (32 - shifts)
    multiplier = 2 * channels["multiplier"].astype(np.int64) - 2**32
    least, most = call.params["activation_min"], call.params["activation_max"]
    return ShortScaling(
        multiplier=np.where(live, multiplier, 0).astype(np.int32),
        power=power.astype(np.int32),
        has_sign=least < call.params["output_offset"],
        is_saturating=(least, most) == (-128, 127),
    )
