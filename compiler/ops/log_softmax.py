"""LOG_SOFTMAX on float32 and int8."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import (
    Inputs,
    KernelCall,
    Operator,
    wanted,
    wanted_quant,
    wanted_shape,
)
from tinysim.compiler.ops.softmax import (
    SUM_INTEGER_BITS,
    exp_table,
    one_over_one_plus,
    scale_is_usable,
    scaled_distances,
)
from tinysim.compiler.quantize import (
    high_mul,
    quantize_multiplier,
    requantize,
    rounding_shift_right,
)

#: Classes whose exponentials surely add up below 2^31.
MAX_SUM_DEPTH = 4095


#: Bits of the logarithm that an int8 output drops: from Q5.26 to Q4.4.
OUTPUT_SHIFT = 22


@dataclass(frozen=True)
class LogSoftmax(Operator):
    """``out = x - max(x) - log(sum exp(x - max(x)))`` over the last axis.

    Exponential and logarithm of floats are rounded from double, so they agree with any good
    library to within one unit in the last place. An int8 output has scale 1/16 and zero point 127.
    """

    tflite = "LOG_SOFTMAX"
    kernels = {DType.FLOAT32: ("log_softmax_f32",), DType.INT8: ("log_softmax_s8",)}

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shapes and the output's fixed quantization."""
        x, out = inputs[0], outputs[0]
        yield from wanted(x, "input", *self.kernels)
        if x is None or x.dtype not in self.kernels:
            return
        yield from wanted(out, "output", x.dtype)
        yield from wanted_shape(x, "input", out.shape)
        if not x.shape:
            yield "a scalar has no classes"
        elif x.dtype is DType.INT8:
            yield from wanted_quant(x, "input")
            yield from wanted_quant(out, "output")
            if out.quant is not None and (out.scale, out.zero_point) != (1 / 16, 127):
                yield "output must have scale 1/16 and zero point 127"
            if x.quant is not None and not scale_is_usable(x.scale):
                yield f"scale is {x.scale:g}, too small for 32-bit fixed point"
            if x.shape[-1] > MAX_SUM_DEPTH:
                yield f"{x.shape[-1]} classes overflow the sum (at most {MAX_SUM_DEPTH})"

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Sum in single precision, in order; integers as TFLite's fixed point has it."""
        assert values[0] is not None
        rows = values[0].reshape(-1, outputs[0].shape[-1])
        y = np.empty_like(rows)
        if rows.dtype == np.int8:
            call = self.lower(inputs, outputs)[0]
            for index, row in enumerate(rows):
                y[index] = _of_int8(row, call)
            return (y.reshape(outputs[0].shape),)
        for index, row in enumerate(rows):
            with np.errstate(invalid="ignore"):  # a row of -inf has no answer but NaN
                centred = row - row.max()
            total = np.float32(0)
            for value in centred.tolist():
                total = total + np.float32(math.exp(value))
            y[index] = centred - np.float32(math.log(float(total)))
        return (y.reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the type; that of int8 with tables by distance from the maximum."""
        x = inputs[0]
        assert x is not None
        depth = x.shape[-1]
        params = {"rows": x.elements // depth, "depth": depth}
        if x.dtype is DType.FLOAT32:
            return (KernelCall("log_softmax_f32", params, (x,), outputs),)
        differences, radius, step = scaled_distances(x.scale)
        multiplier, shift = quantize_multiplier(2.0**31 / step)
        params |= {
            "table_length": len(differences),
            "radius": radius,
            "reverse_multiplier": multiplier,
            "reverse_shift": shift,
        }
        tables = (differences.astype(np.int32), exp_table(x.scale))
        return (KernelCall("log_softmax_s8", params, (x,), outputs, tables),)


def _of_int8(row: Array, call: KernelCall) -> Array:
    """Compute one row."""
    p = {key: int(value) for key, value in call.params.items()}
    differences, exps = (table.astype(np.int64) for table in call.constants)
    distance = row.astype(np.int32).max() - row
    near = distance[distance < len(exps)]
    log = _log(int(rounding_shift_right(exps[near], SUM_INTEGER_BITS).sum()))
    least = requantize(np.array(log - 2**31), p["reverse_multiplier"], p["reverse_shift"])
    reach = min(p["radius"] + 1, -int(least))
    difference = differences[np.minimum(distance, len(differences) - 1)]
    y = rounding_shift_right(difference - log, OUTPUT_SHIFT) + 127
    found: Array = np.where(distance < reach, np.clip(y, -128, 127), -128)
    return found


def _log(x: int) -> int:
    """Return the logarithm in Q5.26 of ``x >= 1`` in Q12.19.

    Source: the fixed-point logarithm that TFLite's reference is defined by: x is a power of two
    times r near ``2**-0.25``, in one of two ways, and the rest is a rational function of r.
    """

    def mul(a: int, b: int) -> int:
        return int(high_mul(np.array(a), b))

    quarter, root_half, fourth_root_half = 1 << 23, 1518500250, 1805811301
    headroom = 32 - x.bit_length() - 1
    r_a = min(2 * mul(x << headroom, root_half), 2**31 - 1)
    power_a = (SUM_INTEGER_BITS - headroom - 1) * 2**25 + quarter
    headroom_b = 32 - mul(x, root_half).bit_length() - 1
    r_b = min(x << headroom_b, 2**31 - 1)
    power_b = (SUM_INTEGER_BITS - headroom_b) * 2**25 - quarter
    r = min(r_a, r_b)
    q = 2 * (r - fourth_root_half)
    square = mul(q, q)
    numerator = mul(q, r) + mul(mul(q, square), 117049297)
    half_sum = (r + fourth_root_half + 1) >> 1
    minus_one = mul(half_sum, 1057819769 + q + mul(127690142, square)) + mul(638450708, q)
    reciprocal = int(one_over_one_plus(np.array(minus_one)))
    scaled = int(rounding_shift_right(np.array(numerator), 6))
    return 2 * (mul(max(power_a, power_b), 1488522236) + mul(scaled, reciprocal))
