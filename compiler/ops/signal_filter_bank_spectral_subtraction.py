"""SignalFilterBankSpectralSubtraction: what is always there is noise, and goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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

#: Options in the order of the kernel's parameters, and the most that each may be.
_OPTIONS = {
    "smoothing": 65535,
    "one_minus_smoothing": 65535,
    "alternate_smoothing": 65535,
    "alternate_one_minus_smoothing": 65535,
    "min_signal_remaining": 65535,
    "smoothing_bits": 31,
    "spectral_subtraction_bits": 63,
    "clamping": 1,
}


@dataclass(frozen=True)
class SignalFilterBankSpectralSubtraction(SignalOperator):
    """``noise = (signal * smoothing + noise * one_minus_smoothing) >> bits``, then subtracted.

    Odd channels smooth by the alternate numbers; ``min_signal_remaining`` of the signal is left.
    The estimate of the noise is kept between inferences, from 0 on; it is the second output.
    """

    tflite = "CUSTOM:SignalFilterBankSpectralSubtraction"
    output_count = 2
    kernels = {DType.UINT32: ("signal_filter_bank_spectral_subtraction_u32",)}

    numbers: tuple[int, ...]

    @classmethod
    def from_tflite(cls, options: Options) -> SignalFilterBankSpectralSubtraction:
        """Take the smoothing and its fixed points."""
        return cls(tuple(option(options, name) for name in _OPTIONS))

    def own_states(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[Array, ...]:
        """Keep the estimate of the noise."""
        return (np.zeros(outputs[0].shape, np.uint32),)

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shapes and options."""
        if any(found := list(wanted_count(inputs, outputs, 1, 2))):
            yield from found
            return
        for value, (name, high) in zip(self.numbers, _OPTIONS.items(), strict=True):
            yield from wanted_range(value, name, high)
        x, out = inputs[0], outputs[0]
        for tensor, role in ((x, "input"), (out, "output"), (outputs[1], "noise")):
            yield from wanted(tensor, role, DType.UINT32)
            yield from wanted_shape(tensor, role, out.shape)
        if x is not None:
            yield from computed(x)

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Smooth and subtract in unsigned integers, modulo 2**32 where TFLM wraps."""
        x, noise = values
        assert x is not None and noise is not None
        p = dict(zip(_OPTIONS, self.numbers, strict=True))
        bits, fraction = p["smoothing_bits"], p["spectral_subtraction_bits"]
        kept, given = [], []
        for index, (value, before) in enumerate(zip(ints(x), ints(noise), strict=True)):
            prefix = "alternate_" if index % 2 else ""
            raised = (value << bits) % 2**32
            mixed = raised * p[f"{prefix}smoothing"] + before * p[f"{prefix}one_minus_smoothing"]
            estimate = (mixed >> fraction) % 2**32
            taken = min(estimate, raised)
            kept.append(taken if p["clamping"] else estimate)
            least = (value * p["min_signal_remaining"] >> fraction) % 2**32
            given.append(max((raised - taken) >> bits, least))
        state = np.array(kept, np.uint32).reshape(x.shape)
        return np.array(given, np.uint32).reshape(x.shape), state, state

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel; the state is its last output."""
        x = inputs[0]
        assert x is not None
        params = {"channels": x.elements, **dict(zip(_OPTIONS, self.numbers, strict=True))}
        return (KernelCall("signal_filter_bank_spectral_subtraction_u32", params, (x,), outputs),)
