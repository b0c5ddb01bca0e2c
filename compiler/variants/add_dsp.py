"""ADD and SUB on int8 for Armv7E-M: the whole arithmetic as two products and a start.

The reference rounds three times. But there are only 65,536 pairs of operands: a line of three
numbers that gives the right output for each of them is looked for here, and checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.quantize import requantize
from tinysim.compiler.variants import Candidate, Variant
from tinysim.firmware import Target

#: Bits behind the point in the kernel's sums.
FRACTION_BITS = 20
#: How far off their exact values scales are looked for, in units in the last place.
STEPS = (0, 4, 16, 64, 256)

#: What has a multiplier, by the prefix of its parameters.
ENDS = ("input1", "input2", "output")

_BYTES = np.arange(-128, 128, dtype=np.int64)


@dataclass(frozen=True)
class Line:
    """The kernel's numbers; see ``kernels/dsp/add_dsp.h``."""

    scale1: int
    scale2: int
    start: int
    behind: int = 0
    rounds_by_sign: int = 0


class AddDsp(Variant):
    """Operands that both move along the rows: by a line, or else with the reference's roundings."""

    replaces = "add_s8"

    def runs_on(self, target: Target) -> bool:
        """Whether the core has multiplications by halfwords."""
        return target.has_dsp

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield a kernel; cycles an element are measured."""
        if (call.params["input1_stride3"], call.params["input2_stride3"]) != (1, 1):
            return
        elements = call.outputs[0].elements
        if (line := find_line(call)) is not None:
            params = {
                "scale1": line.scale1,
                "scale2": line.scale2,
                "start": line.start,
                "behind": line.behind,
                "rounds_by_sign": line.rounds_by_sign,
            }
            yield Candidate("add_dsp", _tuned("add_dsp", call, params), 7.3 * elements)
        elif (exact := exact_params(call)) is not None:
            yield Candidate("add_exact_dsp", _tuned("add_exact_dsp", call, exact), 21.0 * elements)


def exact_params(call: KernelCall) -> dict[str, int] | None:
    """Return what ``add_exact_dsp`` takes for scales, or None if it is not for them."""
    given = {name: int(value) for name, value in call.params.items()}
    right = -given["output_shift"]
    if not 2 <= right <= 31 or min(given[f"{end}_multiplier"] for end in ENDS) == 0:
        return None
    if max(-given["input1_shift"], -given["input2_shift"]) > 30:
        return None
    params = {f"input{i}_sign": given[f"input{i}_sign"] for i in (1, 2)}
    for end in ENDS[:2]:
        params[f"{end}_offset"] = given[f"{end}_offset"]
        params[f"{end}_multiplier"] = 2 * given[f"{end}_multiplier"] - 2**32
        params[f"{end}_right"] = -given[f"{end}_shift"]
    return params | {
        "output_offset": given["output_offset"],
        "output_multiplier": 2 * given["output_multiplier"] - 2**32,
        "output_power": 1 << (32 - right),
    }


def _tuned(kernel: str, call: KernelCall, params: dict[str, int]) -> KernelCall:
    """Return the call of a kernel with the portable one's loops and range."""
    loops = [f"size{i}" for i in range(4)]
    loops += [f"{end}_stride{i}" for end in ENDS[:2] for i in range(3)]
    limits = {name: call.params[name] for name in ("activation_min", "activation_max")}
    return replace(
        call, kernel=kernel, params={name: call.params[name] for name in loops} | params | limits
    )


def find_line(call: KernelCall) -> Line | None:
    """Return numbers that are right for all pairs, or None."""
    params = call.params
    ratio = _ratio(params["output_multiplier"], params["output_shift"])
    real1, real2 = (
        params[f"input{i}_sign"]
        * _ratio(params[f"input{i}_multiplier"], params[f"input{i}_shift"] + 20)
        * ratio
        for i in (1, 2)
    )
    expected = outputs(call)
    if 256 * (abs(real1) + abs(real2)) >= 2 ** (30 - FRACTION_BITS):
        return None
    for step in STEPS:
        for one in (-step, 0, step) if step else (0,):
            for other in (-step, 0, step) if step else (0,):
                scales = (_scale(real1) + one, _scale(real2) + other)
                if max(map(abs, scales)) < 2**31 and (line := _line(call, expected, *scales)):
                    return line
    return _line_by_sign(call, expected, _scale(real1), _scale(real2))


def outputs(call: KernelCall) -> Array:
    """Return the portable kernel's outputs before they are clamped, by both operands."""
    params = {name: int(value) for name, value in call.params.items()}
    raised = [
        params[f"input{i}_sign"]
        * requantize(
            (_BYTES + params[f"input{i}_offset"]) << 20,
            params[f"input{i}_multiplier"],
            params[f"input{i}_shift"],
        )
        for i in (1, 2)
    ]
    sums = raised[0][:, None] + raised[1][None, :]
    scaled = requantize(sums, params["output_multiplier"], params["output_shift"])
    found: Array = scaled + params["output_offset"]
    return found


def _line(call: KernelCall, expected: Array, scale1: int, scale2: int) -> Line | None:
    """Return the line with these scales: every pair bounds its start from below and above."""
    low, high = (int(call.params[f"activation_{end}"]) for end in ("min", "max"))
    sums = _sums(scale1, scale2)
    clamped = np.clip(expected, low, high)
    least = np.where(clamped > low, (clamped << FRACTION_BITS) - sums, -(2**62)).max()
    most = np.where(clamped < high, ((clamped + 1) << FRACTION_BITS) - 1 - sums, 2**62).min()
    if least > most:
        return None
    start = int(min(max((int(least) + int(most)) // 2, -(2**30)), 2**30))
    if not least <= start <= most or _overflows(sums + start):
        return None
    return Line(scale1, scale2, start)


def _line_by_sign(call: KernelCall, expected: Array, scale1: int, scale2: int) -> Line | None:
    """Return a line for scales that give ties, which the reference rounds away from zero."""
    params = call.params
    low, high = (int(params[f"activation_{end}"]) for end in ("min", "max"))
    sums = _sums(scale1, scale2)
    clamped = np.clip(expected, low, high)
    zero = (params[f"input{i}_offset"] * scale for i, scale in ((1, scale1), (2, scale2)))
    start = int(sum(zero)) >> 8
    behind = (int(params["output_offset"]) << FRACTION_BITS) + (1 << (FRACTION_BITS - 1))
    for nudge in (0, 1, 2, -1):
        signed = sums + start + nudge
        rounded = (signed + (signed >> 63) + behind) >> FRACTION_BITS
        if _overflows(signed) or _overflows(signed + behind):
            return None
        if (np.clip(rounded, low, high) == clamped).all():
            return Line(scale1, scale2, start + nudge, behind, 1)
    return None


def _sums(scale1: int, scale2: int) -> Array:
    """Return what the kernel's two products add up to, by both operands."""
    products = [(scale * (_BYTES << 8)) >> 16 for scale in (scale1, scale2)]
    found: Array = products[0][:, None] + products[1][None, :]
    return found


def _overflows(sums: Array) -> bool:
    return bool(sums.min() < -(2**31) or sums.max() >= 2**31)


def _ratio(multiplier: float, shift: float) -> float:
    return float(multiplier * 2.0 ** (shift - 31))


def _scale(real: float) -> int:
    """Return a scale as the kernel wants it: a product's upper 32 of 48 bits count."""
    return round(real * 2.0 ** (FRACTION_BITS + 8))
