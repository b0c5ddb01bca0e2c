"""ADD and SUB of int8 tensors of one shape, for Armv6-M: a plane over all pairs of operands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.quantize import requantize
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._line_v6m import FAR, NO_DROP
from tinysim.compiler.variants._matrix_v6m import runs_on_v6m
from tinysim.firmware import Target

#: Bits that the operands are raised by (``kernels/add_s8.h``), and those of the slopes' fractions.
RAISED_BITS, FRACTION_BITS = 20, 7
#: What is tried in turn: powers of two to drop, shorter shifts, changes of the slopes.
DROPS = (NO_DROP, 3, 1, 5, 0, 7)
SHORTER = (0, 1)
NUDGES = sorted(product(range(-2, 3), repeat=2), key=lambda pair: abs(pair[0]) + abs(pair[1]))
#: Cycles of an element by the core's table, and what a drop adds.
ELEMENT_CYCLES, DROP_CYCLES = 29, 8


class Add(Variant):
    """``ts_add_s8_v6m``: see its header."""

    replaces = "add_s8"

    def runs_on(self, target: Target) -> bool:
        """Whether the core is an Armv6-M one."""
        return runs_on_v6m(target)

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Take operands that move together, if a plane gives what each pair should."""
        params = call.params
        steps = [params[f"{name}_stride3"] for name in ("input1", "input2")]
        if steps != [1, 1] or any(params[f"size{i}"] != 1 for i in range(3)):
            return
        numbers = _plane({key: int(value) for key, value in params.items()})
        if numbers is None:
            return
        count = int(params["size3"])
        tuned = replace(call, kernel="add_s8_v6m", params={"count": count, **numbers})
        drop = 0 if numbers["drop"] == NO_DROP else DROP_CYCLES
        yield Candidate("add_s8_v6m", tuned, 80 + count * (ELEMENT_CYCLES + drop))


def _plane(params: Mapping[str, int]) -> dict[str, int] | None:
    """Find slopes, start and the rest of the kernel's numbers; None if no plane does."""
    values = np.arange(-128, 128)
    raised = [
        params[f"{name}_sign"]
        * requantize(
            (values + params[f"{name}_offset"]) << RAISED_BITS,
            params[f"{name}_multiplier"],
            params[f"{name}_shift"],
        )
        for name in ("input1", "input2")
    ]
    total = np.add.outer(*raised)
    multiplier, shift = params["output_multiplier"], params["output_shift"]
    if (np.abs(total).max() << max(shift, 0)) >= 2**31:
        return None  # a sum wraps
    least, most = params["activation_min"], params["activation_max"]
    zero = params["output_offset"] - least
    outputs = requantize(total, multiplier, shift) + zero
    slopes = [
        params[f"{name}_sign"] * params[f"{name}_multiplier"] * 2.0 ** params[f"{name}_shift"]
        for name in ("input1", "input2")
    ]
    scale = multiplier * 2.0 ** (shift + RAISED_BITS - 62)
    longest = int(min(31 - np.log2(np.abs(outputs).max() + 2.0), 30))
    levels = np.clip(outputs, 0, most - least)
    for drop, shorter, nudge in product(DROPS, SHORTER, NUDGES):
        bits = longest - shorter
        slope = [
            round(one * scale * 2 ** (bits + FRACTION_BITS)) + by
            for one, by in zip(slopes, nudge, strict=True)
        ]
        start = _start(levels, most - least, slope, bits, zero, drop)
        if bits >= 1 and start is not None:
            fractions = [one % 2**FRACTION_BITS for one in slope]
            return {
                "slope1": slope[0] >> FRACTION_BITS,
                "slope2": slope[1] >> FRACTION_BITS,
                "fractions": (fractions[0] << 16) + fractions[1],
                "start": start,
                "most": most - least,
                "least": least,
                "shift": bits,
                "drop": drop,
                "middle": 0 if drop == NO_DROP else -_middle(zero, bits),
            }
    return None


def _middle(zero: int, bits: int) -> int:
    """Return what lies amid the sums that give the zero point."""
    return (2 * zero + 1) << bits >> 1


def _start(
    levels: Array, most: int, slope: list[int], bits: int, zero: int, drop: int
) -> int | None:
    """Return a start with which the plane steps where ``levels [256, 256]`` do, if there is one."""
    plane = _grown(slope)
    dropped = 0 if drop == NO_DROP else 1 << drop
    down = np.where(levels <= zero, dropped, 0)
    # A level is kept from its beginning to the next one's; the outermost go on.
    least = np.where(levels > 0, (levels << bits) - plane + down, -FAR)
    below = np.where(levels + 1 <= zero, dropped, 0)
    end = np.where(levels < most, ((levels + 1) << bits) - plane - 1 + below, FAR)
    low = max(int(least.max()), -(2**31) - int(plane.min()) + dropped)
    high = min(int(end.min()), 2**31 - 1 - int(plane.max()))
    start = (low + high) >> 1
    if low > high or abs(start) >= 2**31 or max(map(abs, slope)) >= 2 ** (31 + FRACTION_BITS):
        return None
    y = plane + start
    if dropped:
        middle = _middle(zero, bits)
        if abs(middle) >= 2**31 or np.abs(y - middle).max() >= 2**31:
            return None
        y = y - np.where(y < middle, dropped, 0)
    return start if (np.clip(y >> bits, 0, most) == levels).all() else None


def _grown(slope: list[int]) -> Array:
    """Return the plane without its start, as the kernel computes it, for each pair of operands."""
    values = np.arange(-128, 128, dtype=np.int64)
    one, other = values[:, None], values[None, :]
    fractions = [part % 2**FRACTION_BITS for part in slope]
    word = (one + (other << 16)) * (fractions[1] + (fractions[0] << 16))
    word = ((word + 2**31) & 0xFFFF_FFFF) - 2**31
    wholes = one * (slope[0] >> FRACTION_BITS) + other * (slope[1] >> FRACTION_BITS)
    grown: Array = wholes + (word >> (16 + FRACTION_BITS))
    return grown
