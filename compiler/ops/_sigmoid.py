"""What LOGISTIC and TANH share: fixed scales, int8 by TFLite's fixed point, int16 by a table."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops._elementwise import Params
from tinysim.compiler.ops._sigmoid_table import sigmoid_table
from tinysim.compiler.ops._unary import FloatFunction
from tinysim.compiler.quantize import requantize, rounding_shift_right

#: Integer bits of the fixed-point argument.
INTEGER_BITS = 4


@dataclass(frozen=True)
class Sigmoid(FloatFunction):
    """An S-shaped function whose output scale is fixed."""

    #: Scale and zero point that an int8 output must have, and bits that its fraction loses.
    quant: ClassVar[tuple[float, int]]
    dropped_bits: ClassVar[int]
    #: Left shifts that a power-of-two int16 scale may need.
    int16_shifts: ClassVar[tuple[int, ...]]

    def limits(self, x: Tensor, out: Tensor) -> Iterator[str]:
        """Check the fixed output scale and that the input's can be raised."""
        if x.dtype is DType.INT8 and (out.scale, out.zero_point) != self.quant:
            yield f"output must have scale {self.quant[0]} and zero point {self.quant[1]}"
        if x.dtype is DType.INT16 and out.scale != 2.0**-15:
            yield "output must have scale 1/32768"
        if x.dtype is DType.INT8 and x.scale < 2.0 ** (INTEGER_BITS - 31):
            yield f"input scale {x.scale:g} is too small for the fixed point"
        if x.dtype is DType.INT16 and x.scale * 3 * 4096 >= 32768:
            yield f"input scale {x.scale:g} is too large for the table"

    def quantized(self, q: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in Q0.31; beyond the fixed point's reach it is the end of the range."""
        fraction, shift = math.frexp(x.scale * 2.0 ** (31 - INTEGER_BITS))
        multiplier = round(fraction * 2**31)
        radius = math.floor(((1 << INTEGER_BITS) - 1) * 2 ** (31 - INTEGER_BITS) / 2**shift)
        centred = q - x.zero_point
        inside = np.clip(centred, -max(radius - 1, 0), max(radius - 1, 0))
        # Shifts that wrap are of arguments that are at the end anyway.
        exact = self.fixed_point(requantize(inside, multiplier, min(shift, 31)))
        y = rounding_shift_right(exact, self.dropped_bits) + out.zero_point
        return np.where(centred <= -radius, -128, np.where(centred >= radius, 127, y))

    def arithmetic(self, x: Tensor, out: Tensor) -> Params:
        """Return the function's number, or what brings int16 to the table's argument."""
        if x.dtype is DType.FLOAT32:
            return super().arithmetic(x, out)
        fraction, exponent = math.frexp(x.scale)
        if fraction == 0.5 and 12 + exponent - 1 in self.int16_shifts:
            return {"multiplier": 3 << (12 + exponent - 1), "shift": 0}
        multiplier, shift = x.scale * 4096.0 * 3.0, 0
        while multiplier <= 32767.0 / 2.0 and shift <= 30:
            multiplier, shift = multiplier * 2.0, shift + 1
        return {"multiplier": int(multiplier), "shift": shift}

    def tables(self, x: Tensor) -> tuple[Array, ...]:
        """Return the table of int16."""
        return (sigmoid_table(),) if x.dtype is DType.INT16 else ()

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Interpolate int16 in the table."""
        if x.dtype is DType.FLOAT32:
            return self.floats(values)
        p = {key: int(value) for key, value in self.arithmetic(x, out).items()}
        half = 1 << (p["shift"] - 1) if p["shift"] else 0
        argument = (values.astype(np.int64) * p["multiplier"] + half) >> p["shift"]
        return self.interpolated(np.abs(argument), argument >= 0)

    @abstractmethod
    def fixed_point(self, a: Array) -> Array:
        """Return the function in Q0.31 of an argument in Q4.27."""

    @abstractmethod
    def interpolated(self, magnitude: Array, is_positive: Array) -> Array:
        """Return the function in Q0.15 of an argument that the table has 1/24 to the step."""

    @abstractmethod
    def floats(self, values: Array) -> Array:
        """Compute in single precision."""


def looked_up(magnitude: Array, bits: int) -> Array:
    """Interpolate linearly, ``bits`` bits between two entries; the last one is the end."""
    table = sigmoid_table().astype(np.int64)
    index = np.minimum(magnitude >> bits, 254)
    below, above = table[index], table[index + 1]
    found: Array = (below << bits) + (magnitude & ((1 << bits) - 1)) * (above - below)
    return found
