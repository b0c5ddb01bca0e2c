"""SignalEnergy: the squared magnitude of a spectrum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Options, wanted, wanted_shape
from tinysim.compiler.ops._signal import SignalOperator, computed, option, wanted_count


@dataclass(frozen=True)
class SignalEnergy(SignalOperator):
    """``out[i] = re[i] ** 2 + im[i] ** 2`` for ``start <= i < end``, 0 beside (TFLM leaves it)."""

    tflite = "CUSTOM:SignalEnergy"
    kernels = {DType.INT16: ("signal_energy_s16",)}

    start: int
    end: int

    @classmethod
    def from_tflite(cls, options: Options) -> SignalEnergy:
        """Take the range of frequencies."""
        return cls(option(options, "start_index"), option(options, "end_index"))

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and that the range lies inside."""
        if any(found := list(wanted_count(inputs, outputs, 1, 1))):
            yield from found
            return
        x, out = inputs[0], outputs[0]
        yield from wanted(x, "input", DType.INT16)
        yield from wanted(out, "output", DType.UINT32)
        yield from wanted_shape(x, "input", (2 * out.elements,))
        if not 0 <= self.start <= self.end <= out.elements:
            yield f"frequencies {self.start} to {self.end} of {out.elements}"
        if x is not None:
            yield from computed(x)

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Square and add; 2 * 32768 ** 2 is the most."""
        assert values[0] is not None
        parts = values[0].astype(np.int64).reshape(-1, 2)
        energy = (parts**2).sum(axis=1)
        energy[: self.start] = 0
        energy[self.end :] = 0
        return (energy.astype(np.uint32).reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel."""
        (x,) = inputs
        assert x is not None
        params = {"elements": outputs[0].elements, "start": self.start, "end": self.end}
        return (KernelCall("signal_energy_s16", params, (x,), outputs),)
