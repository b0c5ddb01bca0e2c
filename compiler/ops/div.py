"""DIV: the quotient of two tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, wanted_ratio
from tinysim.compiler.ops._elementwise import Activated, Params, clamped_floats, multiplier_params
from tinysim.compiler.ops.softmax import one_over_one_plus
from tinysim.compiler.quantize import high_mul, rounding_shift_right, wrap_int32

#: The quotient of two int8 is raised by 23 bits at least: no more may be taken back.
MAX_RATIO = 2.0**22


@dataclass(frozen=True)
class Div(Activated):
    """``out = clamp(a / b)``; an integer quotient is cut towards zero, and is 0 if ``b`` is 0."""

    tflite = "DIV"
    rescales = True
    kernels = {DType.INT8: ("div_s8",), DType.FLOAT32: ("div_f32",), DType.INT32: ("div_s32",)}

    def limits(self, a: Tensor, b: Tensor, out: Tensor) -> Iterator[str]:
        """Check the ratio of scales."""
        yield from super().limits(a, b, out)
        if out.dtype is DType.INT8:
            yield from wanted_ratio(_ratio(a, b, out), "quotient of scales", MAX_RATIO)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Give the int8 kernel the reciprocals."""
        (call,) = super().lower(inputs, outputs)
        if call.kernel != "div_s8":
            return (call,)
        return (replace(call, constants=(*call.constants, reciprocals().astype(np.int32))),)

    def arithmetic(self, first: Tensor, second: Tensor, out: Tensor, is_reversed: bool) -> Params:
        """Return the range, the order of the operands and the scales."""
        params: Params = {"is_reversed": int(is_reversed)}
        if out.dtype is DType.INT8:
            params["input1_offset"] = -first.zero_point
            params["input2_offset"] = -second.zero_point
            params["output_offset"] = out.zero_point
            a, b = (second, first) if is_reversed else (first, second)
            params |= multiplier_params("output", _ratio(a, b, out))
        return params | self.range_of(out)

    def compute(self, a: Array, b: Array, params: Params) -> Array:
        """Divide as C does; what C leaves undefined is 0, or wraps."""
        if a.dtype == np.float32:
            return clamped_floats(a / b, params)
        x, y = a.astype(np.int64), b.astype(np.int64)
        limits = int(params["activation_min"]), int(params["activation_max"])
        if a.dtype == np.int8:
            x, y = x + int(params["input1_offset"]), y + int(params["input2_offset"])
            moved = _quotient(x, y, params) + int(params["output_offset"])
            clamped: Array = np.clip(moved, *limits)
            return clamped
        quotient = np.abs(x) // np.maximum(np.abs(y), 1) * np.sign(x) * np.sign(y)
        return np.clip(wrap_int32(quotient), *limits)


def reciprocals() -> Array:
    """Return ``2**bits / m`` in Q0.31 for ``m`` from 0 to 255, of as many bits; 0 for 0."""
    found = np.zeros(256, np.int64)
    for m in range(1, 256):
        found[m] = one_over_one_plus(np.array((m << (32 - m.bit_length())) - 2**31))
    return found


def _quotient(x: Array, y: Array, params: Params) -> Array:
    """Multiply by reciprocals, ``x`` raised as far as its sign allows; then scale."""
    x = np.where(y < 0, -x, x)
    y = np.abs(y)
    headroom = 31 - _bits(np.where(x < 0, ~x, x))
    raised = high_mul(x << headroom, reciprocals()[y])
    right = headroom + _bits(y) - 1 - int(params["output_shift"])
    scaled = high_mul(raised, int(params["output_multiplier"]))
    quotient: Array = rounding_shift_right(scaled, np.minimum(right, 62))
    return np.where(y == 0, 0, quotient)


def _bits(x: Array) -> Array:
    """Return how many bits numbers from 0 to 255 take."""
    found: Array = np.frexp(x.astype(np.float64))[1].astype(np.int64)
    return found


def _ratio(a: Tensor, b: Tensor, out: Tensor) -> float:
    """Return the ratio of the quotient's scale to the output's, in single precision as in TFLM."""
    with np.errstate(all="ignore"):
        return float(np.float32(a.scale) / (np.float32(b.scale) * np.float32(out.scale)))
