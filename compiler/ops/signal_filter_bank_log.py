"""SignalFilterBankLog: magnitudes as logarithms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Options, wanted, wanted_shape
from tinysim.compiler.ops._signal import (
    SignalOperator,
    computed,
    ints,
    option,
    wanted_count,
    wanted_range,
)


@dataclass(frozen=True)
class SignalFilterBankLog(SignalOperator):
    """``out = min(output_scale * ln(in << input_correction_bits), 32767)``, 0 for what is below 2.

    The logarithm is interpolated between 128 values a power of two.
    """

    tflite = "CUSTOM:SignalFilterBankLog"
    kernels = {DType.UINT32: ("signal_filter_bank_log_u32",)}

    output_scale: int
    correction_bits: int

    @classmethod
    def from_tflite(cls, options: Options) -> SignalFilterBankLog:
        """Take scale and correction."""
        return cls(option(options, "output_scale"), option(options, "input_correction_bits"))

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and options."""
        yield from wanted_range(self.output_scale, "output_scale", 32767)
        yield from wanted_range(self.correction_bits, "input_correction_bits", 31)
        if any(found := list(wanted_count(inputs, outputs, 1, 1))):
            yield from found
            return
        yield from wanted(inputs[0], "input", DType.UINT32)
        yield from wanted(outputs[0], "output", DType.INT16)
        yield from wanted_shape(inputs[0], "input", outputs[0].shape)
        if inputs[0] is not None:
            yield from computed(inputs[0])

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Interpolate logarithms in integers."""
        assert values[0] is not None
        scaled = ((value << self.correction_bits) % 2**32 for value in ints(values[0]))
        found = [min(self._log(value), 32767) if value > 1 else 0 for value in scaled]
        return (np.array(found, np.int16).reshape(outputs[0].shape),)

    def _log(self, x: int) -> int:
        """Return the scaled natural logarithm of ``x`` above 1."""
        octave = x.bit_length() - 1
        rest = x - (1 << octave)
        rest = rest << (16 - octave) if octave < 16 else rest >> (octave - 16)
        segment = rest >> 9
        table = ints(log_table())
        bend = (table[segment + 1] - table[segment]) * (rest - (segment << 9)) >> 16
        log2 = (octave << 16) + rest + table[segment] + bend
        natural = LN_2 * log2 + 32768 >> 16
        return (self.output_scale * natural + 32768) % 2**32 >> 16

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel with the table."""
        (x,) = inputs
        assert x is not None
        params = {
            "elements": x.elements,
            "output_scale": self.output_scale,
            "correction_bits": self.correction_bits,
        }
        return (KernelCall("signal_filter_bank_log_u32", params, (x,), outputs, (log_table(),)),)


#: ln 2 in Q0.16.
LN_2 = 45426


@lru_cache
def log_table() -> Array:
    """Return ``log2(1 + i / 128) - i / 128`` in Q0.16 for i up to 128."""
    part = np.arange(129) / 128
    return np.rint((np.log2(1 + part) - part) * 65536).astype(np.uint16)
