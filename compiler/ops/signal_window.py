"""SignalWindow: audio times a window, before its spectrum is taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Options, wanted, wanted_constant, wanted_shape
from tinysim.compiler.ops._signal import (
    SignalOperator,
    computed,
    option,
    wanted_count,
    wanted_range,
)


@dataclass(frozen=True)
class SignalWindow(SignalOperator):
    """``out[n, i] = saturate((in[n, i] * window[i]) >> shift)``, all int16."""

    tflite = "CUSTOM:SignalWindow"
    kernels = {DType.INT16: ("signal_window_s16",)}

    shift: int

    @classmethod
    def from_tflite(cls, options: Options) -> SignalWindow:
        """Take the shift."""
        return cls(option(options, "shift"))

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and that whole windows go into the input."""
        yield from wanted_range(self.shift, "shift", 31)
        if any(found := list(wanted_count(inputs, outputs, 2, 1))):
            yield from found
            return
        x, window = inputs[:2]
        yield from wanted(x, "input", DType.INT16)
        yield from wanted(window, "window", DType.INT16)
        yield from wanted(outputs[0], "output", DType.INT16)
        yield from wanted_shape(x, "input", outputs[0].shape)
        yield from wanted_constant(window, "window")
        if x is not None:
            yield from computed(x)
        if x is not None and window is not None and x.elements % window.elements:
            yield f"window {list(window.shape)} does not go with input {list(x.shape)}"

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Multiply, shift, saturate."""
        x, window = values
        assert x is not None and window is not None
        product = x.astype(np.int64).reshape(-1, window.size) * window.ravel() >> self.shift
        return (np.clip(product, -32768, 32767).astype(np.int16).reshape(x.shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel."""
        x, window = inputs
        assert x is not None and window is not None and window.data is not None
        size = window.elements
        params = {"rows": x.elements // size, "size": size, "shift": self.shift}
        return (KernelCall("signal_window_s16", params, (x,), outputs, (window.data,)),)
