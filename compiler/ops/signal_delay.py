"""SignalDelay: a signal, some samples later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Options, wanted, wanted_shape
from tinysim.compiler.ops._signal import SignalOperator, computed, option, wanted_count

#: Longest delay: a minute at 48 kHz is shorter.
MAX_DELAY = 2**22


@dataclass(frozen=True)
class SignalDelay(SignalOperator):
    """``out[t] = in[t - delay]`` along the last axis, from one inference to the next."""

    tflite = "CUSTOM:SignalDelay"
    kernels = {DType.INT16: ("signal_delay_s16",)}

    delay: int

    @classmethod
    def from_tflite(cls, options: Options) -> SignalDelay:
        """Take the delay."""
        return cls(option(options, "delay_length"))

    def own_states(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[Array, ...]:
        """Keep the samples that are still to come, silence at first."""
        rows = outputs[0].elements // (outputs[0].shape or (1,))[-1]
        return (np.zeros((rows, max(1, min(self.delay, MAX_DELAY))), np.int16),)

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shapes and the delay."""
        if any(found := list(wanted_count(inputs, outputs, 1, 1))):
            yield from found
            return
        x, out = inputs[0], outputs[0]
        yield from wanted(x, "input", DType.INT16)
        yield from wanted(out, "output", DType.INT16)
        yield from wanted_shape(x, "input", out.shape)
        if not out.shape:
            yield "a scalar has no time"
        if not 1 <= self.delay <= MAX_DELAY:
            yield f"delay_length is {self.delay}, expected 1 to {MAX_DELAY}"
        if x is not None:
            yield from computed(x)

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Put what is kept before what comes."""
        x, kept = values
        assert x is not None and kept is not None
        whole = np.concatenate([kept, x.reshape(len(kept), -1)], axis=1)
        samples = x.shape[-1]
        return whole[:, :samples].reshape(x.shape), whole[:, samples:]

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel; the state is its last output."""
        x = inputs[0]
        assert x is not None
        samples = x.shape[-1]
        params = {"rows": x.elements // samples, "samples": samples, "delay": self.delay}
        return (KernelCall("signal_delay_s16", params, (x,), outputs),)
