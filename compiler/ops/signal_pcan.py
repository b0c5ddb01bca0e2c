"""SignalPCAN: gain control by the noise in each channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Options, wanted, wanted_constant, wanted_shape
from tinysim.compiler.ops._signal import (
    SignalOperator,
    computed,
    ints,
    option,
    wanted_count,
    wanted_range,
)

#: Entries that the piecewise gain of a 32-bit number needs.
TABLE_LENGTH = 125


@dataclass(frozen=True)
class SignalPcan(SignalOperator):
    """``out = shrink((in * gain(noise)) >> snr_shift)``, gain from a table of parabolas."""

    tflite = "CUSTOM:SignalPCAN"
    kernels = {DType.UINT32: ("signal_pcan_u32",)}

    snr_shift: int

    @classmethod
    def from_tflite(cls, options: Options) -> SignalPcan:
        """Take the shift."""
        return cls(option(options, "snr_shift"))

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and the length of the table."""
        yield from wanted_range(self.snr_shift, "snr_shift", 63)
        if any(found := list(wanted_count(inputs, outputs, 3, 1))):
            yield from found
            return
        x, noise, table = inputs[:3]
        yield from wanted(x, "input", DType.UINT32)
        yield from wanted(noise, "noise", DType.UINT32)
        yield from wanted(table, "gains", DType.INT16)
        yield from wanted(outputs[0], "output", DType.UINT32)
        yield from wanted_shape(x, "input", outputs[0].shape)
        yield from wanted_shape(noise, "noise", outputs[0].shape)
        yield from wanted_constant(table, "gains")
        if table is not None and table.elements < TABLE_LENGTH:
            yield f"{table.elements} gains, expected {TABLE_LENGTH}"
        for tensor in (tensor for tensor in (x, noise) if tensor is not None):
            yield from computed(tensor)

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Look the gain up, multiply, shrink."""
        x, noise, table = values
        assert x is not None and noise is not None and table is not None
        gains = ints(table)
        pairs = zip(ints(x), ints(noise), strict=True)
        found = [
            _shrink((value * (_gain(level, gains) % 2**32) >> self.snr_shift) % 2**32)
            for value, level in pairs
        ]
        return (np.array(found, np.uint32).reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel."""
        x, noise, table = inputs
        assert x is not None and noise is not None and table is not None
        assert table.data is not None
        params = {"elements": x.elements, "snr_shift": self.snr_shift}
        return (KernelCall("signal_pcan_u32", params, (x, noise), outputs, (table.data,)),)


def _gain(x: int, table: list[int]) -> int:
    """Return the gain of a level: a parabola for each power of two, as int16."""
    if x <= 2:
        return table[x]
    octave = x.bit_length()
    start, slope, bend = table[4 * octave - 6 : 4 * octave - 3]
    part = (x << (11 - octave) if octave < 11 else x >> (octave - 11)) & 0x3FF
    rise = ((bend * part >> 5) + slope * 32) * part
    return ((rise + (1 << 14) >> 15) + start + 32768) % 65536 - 32768


def _shrink(x: int) -> int:
    """Return ``x ** 2 / 4`` below 2 and ``x - 1`` above; 12 bits of fraction in, 6 out."""
    return x * x >> 20 if x < 2 << 12 else (x >> 6) - 64
