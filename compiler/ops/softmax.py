"""SOFTMAX: exponentials of integers come from a table made at compile time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import (
    Inputs,
    KernelCall,
    Operator,
    Options,
    Overlap,
    wanted,
    wanted_quant,
    wanted_ratio,
    wanted_shape,
)
from tinysim.compiler.ops._overlap import element_overlaps
from tinysim.compiler.quantize import (
    high_mul,
    quantize_multiplier,
    requantize,
    rounding_shift_right,
    wrap_int32,
)

#: Integer bits of the scaled differences, of the sum of exponentials and of a probability.
DIFF_INTEGER_BITS = 5
SUM_INTEGER_BITS = 12

#: Classes whose exponentials surely add up below the sum's 32 bits.
MAX_DEPTH = {DType.INT8: 8191, DType.INT16: 2**16, DType.FLOAT32: 2**31}

#: The output's scale and zero point, by the types of input and output.
FIXED_OUTPUT = {
    (DType.INT8, DType.INT8): (1 / 256, -128),
    (DType.INT8, DType.INT16): (1 / 65536, -32768),
    (DType.INT16, DType.INT16): (1 / 32768, 0),
}

#: What an int16 input is scaled to: distances of up to 10 over 16 bits, for the table.
TABLE_STEP = 10.0 / 65535.0

#: A distance of 16 bits may not leave 32 bits.
MAX_TABLE_RATIO = 2.0**14


@dataclass(frozen=True)
class Softmax(Operator):
    """``out = exp(beta * x) / sum exp(beta * x)`` over the last axis, in TFLite's fixed point.

    Outputs of integers have the scale and zero point that cover [0, 1], see ``FIXED_OUTPUT``.
    """

    tflite = "SOFTMAX"
    kernels = {
        DType.INT8: ("softmax_s8", "softmax_s8_s16"),
        DType.INT16: ("softmax_s16",),
        DType.FLOAT32: ("softmax_f32",),
    }

    beta: float

    @classmethod
    def from_tflite(cls, options: Options) -> Softmax:
        """Take beta."""
        return cls(options["Beta"])

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and the output's fixed quantization."""
        x, out = inputs[0], outputs[0]
        yield from wanted(x, "input", *MAX_DEPTH)
        if x is None or x.dtype not in MAX_DEPTH:
            return
        yield from wanted_shape(x, "input", out.shape)
        if not out.shape:
            yield "a scalar has no classes"
        elif out.shape[-1] > (most := MAX_DEPTH[x.dtype]):
            yield f"{out.shape[-1]} classes overflow the sum of exponentials (at most {most})"
        if not (np.isfinite(self.beta) and 0 < self.beta < 2.0**64):
            yield f"beta is {self.beta}"
        elif x.dtype is DType.FLOAT32:
            yield from wanted(out, "output", DType.FLOAT32)
        else:
            yield from self._quant_problems(x, out)

    def _quant_problems(self, x: Tensor, out: Tensor) -> Iterator[str]:
        """Check the quantization of integers."""
        allowed = [to for taken, to in FIXED_OUTPUT if taken is x.dtype]
        yield from wanted(out, "output", *allowed)
        yield from wanted_quant(x, "input")
        yield from wanted_quant(out, "output")
        if x.quant is None or out.quant is None or out.dtype not in allowed:
            return
        scale, zero_point = FIXED_OUTPUT[x.dtype, out.dtype]
        # TFLM wants the scale of int8 exactly and the others to 0.1 %.
        tolerance = 0.0 if out.dtype is DType.INT8 else 0.001
        if abs(out.scale / scale - 1) > tolerance or out.zero_point != zero_point:
            yield f"output must have scale 1/{round(1 / scale)} and zero point {zero_point}"
        beta_scale = self.beta * x.scale
        if x.dtype is DType.INT16:
            if x.zero_point != 0:
                yield f"input has the zero point {x.zero_point}, int16 is symmetric"
            yield from wanted_ratio(beta_scale / TABLE_STEP, "beta * scale", MAX_TABLE_RATIO)
        elif not scale_is_usable(beta_scale):
            yield f"beta * scale is {beta_scale:g}, too small for 32-bit fixed point"

    def overlaps(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Mapping[int, Overlap]:
        """Let the output lie over the input."""
        return element_overlaps(inputs, outputs[0])

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Compute row by row with the arithmetic of the input's type."""
        assert values[0] is not None
        call = self.lower(inputs, outputs)[0]
        x, out = values[0].reshape(-1, outputs[0].shape[-1]), outputs[0]
        if x.dtype == np.float32:
            y = self._of_floats(x)
        elif x.dtype == np.int16:
            y = _of_int16(x, int(call.params["multiplier"]), int(call.params["shift"]))
        else:
            y = _of_int8(x, call.constants[0].astype(np.int64), 8 * out.dtype.itemsize)
        return (y.astype(out.dtype.value).reshape(out.shape),)

    def _of_floats(self, x: Array) -> Array:
        """Sum in single precision, in order."""
        largest = np.fmax(np.fmax.reduce(x, axis=1, keepdims=True), np.finfo(np.float32).min)
        with np.errstate(all="ignore"):
            exponent = ((x - largest) * np.float32(self.beta)).astype(np.float64)
            exps = np.exp(exponent).astype(np.float32)
            quotient: Array = exps / np.add.accumulate(exps, axis=1)[:, -1:]
        return quotient

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Make the table of the exponentials of integers."""
        x, out = inputs[0], outputs[0]
        assert x is not None
        depth = out.shape[-1]
        params: dict[str, int | float] = {"rows": out.elements // depth, "depth": depth}
        if x.dtype is DType.FLOAT32:
            params["beta"] = float(np.float32(self.beta))
            return (KernelCall("softmax_f32", params, (x,), outputs),)
        if x.dtype is DType.INT16:
            multiplier, shift = quantize_multiplier(x.scale * self.beta / TABLE_STEP)
            params |= {"multiplier": multiplier, "shift": shift}
            tables = (wide_exp_table(), wide_reciprocal_table())
            return (KernelCall("softmax_s16", params, (x,), outputs, tables),)
        table = exp_table(self.beta * x.scale)
        params["table_length"] = len(table)
        kernel = "softmax_s8" if out.dtype is DType.INT8 else "softmax_s8_s16"
        return (KernelCall(kernel, params, (x,), outputs, (table,)),)


def _of_int8(x: Array, table: Array, bits: int) -> Array:
    """Look exponentials up, sum, multiply by the reciprocal; to an output of ``bits``."""
    distance = x.astype(np.int32).max(axis=1, keepdims=True) - x
    known = distance < len(table)
    exps = np.where(known, table[np.minimum(distance, len(table) - 1)], 0)
    total = np.where(known, rounding_shift_right(exps, SUM_INTEGER_BITS), 0).sum(axis=1)
    lowest = -(2 ** (bits - 1))
    y = np.full(x.shape, lowest, np.int64)
    for row, sum_ in enumerate(total.tolist()):
        bits_over_unit, scale = _reciprocal(sum_)
        q = rounding_shift_right(high_mul(exps[row], scale), bits_over_unit + 31 - bits) + lowest
        y[row] = np.where(known[row], np.clip(q, lowest, -lowest - 1), lowest)
    return y


def _of_int16(x: Array, multiplier: int, shift: int) -> Array:
    """Interpolate exponentials (Q0.15), sum, interpolate the reciprocal, multiply."""
    distance = x.astype(np.int64) - x.astype(np.int64).max(axis=1, keepdims=True)
    centred = requantize(distance, multiplier, shift) + 32767
    exps = _look_up(np.clip(centred, -32768, 32767), wide_exp_table())
    total = exps.sum(axis=1, keepdims=True)
    headroom = 32 - np.array([[int(sum_).bit_length()] for sum_ in total[:, 0]])
    mantissa = ((total << (headroom - 1)) + (1 << 13)) >> 14  # Q1.16, in [1, 2]
    minus_one = np.clip(mantissa - (1 << 15) - (1 << 16), -32768, 32767)
    reciprocal = _look_up(minus_one, wide_reciprocal_table())
    right = 31 - headroom
    y: Array = np.clip((exps * reciprocal + (1 << (right - 1))) >> right, 0, 32767)
    return y


def _look_up(x: Array, table: Array) -> Array:
    """Interpolate linearly in a table of 513 entries; the high 9 bits of int16 choose two."""
    index = 256 + (x >> 7)
    base, after = table[index].astype(np.int64), table[index + 1].astype(np.int64)
    found: Array = base + (((after - base) * (x & 127) + 64) >> 7)
    return found


@lru_cache
def wide_exp_table() -> Array:
    """Return ``exp`` over [-10, 0] in Q0.15."""
    return _interpolation_table(np.exp, -10.0, 32767)


@lru_cache
def wide_reciprocal_table() -> Array:
    """Return ``1 / (1 + x)`` over [0, 1] in Q0.15."""
    return _interpolation_table(lambda x: 1 / (1 + x), 1.0, -32768)


def _interpolation_table(function: Callable[[Array], Array], span: float, zero: int) -> Array:
    """Return 513 points of ``function`` over ``|span|``, moved by half the error at the middle.

    Source: how TFLite fills its tables, in single precision, each rounding included.
    """
    scale = np.float32(abs(span)) / np.float32(65535)
    low, high = scale * np.float32(-32768 - zero), scale * np.float32(32767 - zero)
    step = (high - low) / np.float32(512)
    index = np.arange(512, dtype=np.float32)
    unit = np.float32(2) / np.float32(65535)
    per_one = np.float32(65536) / (unit * np.float32(32767) - unit * np.float32(-32768))

    def at(x: Array) -> Array:
        exact = function(x.astype(np.float64))
        return exact.astype(np.float32) * per_one

    value = _round_away(at(low + index * step))
    middle = _round_away(at(low + index * step + step / np.float32(2)))
    after = at(low + (index + np.float32(1)) * step)
    error = _round_away((after + value) / np.float32(2)) - middle
    points = np.append(
        value - _round_away(error / np.float32(2)), _round_away(at(np.array([high])))
    )
    limited: Array = np.clip(points, -32768, 32767).astype(np.int16)
    return limited


def _round_away(x: Array) -> Array:
    """Round to nearest, halves away from zero."""
    rounded: Array = np.trunc(x + np.copysign(np.float32(0.5), x))
    return rounded


@lru_cache
def exp_table(beta_scale: float) -> Array:
    """Return ``exp(-distance * beta_scale)`` in Q0.31, as long as TFLite counts it at all."""
    return _exp_on_negative_values(scaled_distances(beta_scale)[0]).astype(np.int32)


def scaled_distances(beta_scale: float) -> tuple[Array, int, int]:
    """Return ``-distance * beta_scale`` in Q5.26, the radius of what counts, a step in Q5.57."""
    real = min(beta_scale * 2 ** (31 - DIFF_INTEGER_BITS), 2**31 - 1.0)
    multiplier, left_shift = quantize_multiplier(real)
    radius = (2**DIFF_INTEGER_BITS - 1) * 2 ** (31 - DIFF_INTEGER_BITS) / 2**left_shift
    distance = np.arange(min(int(radius), 255) + 1, dtype=np.int64)
    raised = wrap_int32(-distance << max(left_shift, 0))
    diff = rounding_shift_right(high_mul(raised, multiplier), max(-left_shift, 0))
    return diff, int(radius), multiplier * 2**left_shift


def scale_is_usable(beta_scale: float) -> bool:
    """Tell whether the multiplier is at least one, which TFLite requires."""
    return bool(beta_scale * 2 ** (31 - DIFF_INTEGER_BITS) > 1.0)


def _exp_on_negative_values(a: Array) -> Array:
    """Return ``exp(a)`` in Q0.31 for ``a <= 0`` in Q5.26: a short series, then a barrel of factors.

    Source: the fixed-point exponential that TFLite's reference softmax is defined by.
    """
    fraction_bits = 31 - DIFF_INTEGER_BITS
    quarter = 1 << (fraction_bits - 2)
    modulo = (a & (quarter - 1)) - quarter
    result = _exp_near_minus_eighth(modulo << DIFF_INTEGER_BITS)
    remainder = modulo - a
    for exponent in range(-2, DIFF_INTEGER_BITS):
        factor = int(np.floor(np.exp(-(2.0**exponent)) * 2**31 + 0.5))
        bit = (remainder >> (fraction_bits + exponent)) & 1
        result = np.where(bit, high_mul(result, factor), result)
    return np.where(a == 0, 2**31 - 1, result)


def _exp_near_minus_eighth(a: Array) -> Array:
    """Return ``exp(a)`` in Q0.31 for ``-1/4 <= a < 0`` in Q0.31, by a series around -1/8."""
    constant = 1895147668  # exp(-1/8) in Q0.31
    third = 715827883  # 1/3 in Q0.31
    x = a + (1 << 28)
    x2 = high_mul(x, x)
    x3 = high_mul(x2, x)
    x4 = high_mul(x2, x2)
    x4_over_4 = rounding_shift_right(x4, 2)
    series = rounding_shift_right(high_mul(x4_over_4 + x3, third) + x2, 1)
    product: Array = high_mul(np.full_like(x, constant), x + series)
    return constant + product


def _reciprocal(sum_: int) -> tuple[int, int]:
    """Return how many bits ``sum_`` (Q12.19) stands above one, and its reciprocal in Q0.31."""
    headroom = 32 - sum_.bit_length()
    minus_one = wrap_int32(np.array([(sum_ << headroom) - 2**31]))
    return SUM_INTEGER_BITS - headroom, int(one_over_one_plus(minus_one)[0])


def one_over_one_plus(a: Array) -> Array:
    """Return ``1 / (1 + a)`` in Q0.31 for ``a`` in [0, 1), by three Newton steps."""
    half_sum = (a + 2**31 - 1 + 1) >> 1  # rounding half sum of a and one
    x = 1515870810 + high_mul(half_sum, -1010580540)  # 48/17 - 32/17 * d, in Q2.29
    for _ in range(3):
        error = (1 << 29) - high_mul(half_sum, x)
        x = x + (high_mul(x, error) << 2)
    saturated: Array = np.minimum(x << 1, 2**31 - 1)
    return saturated
