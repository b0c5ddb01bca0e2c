"""SignalFftAutoScale: audio raised as far as 16 bits allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, wanted, wanted_shape
from tinysim.compiler.ops._signal import SignalOperator, computed, ints, wanted_count


@dataclass(frozen=True)
class SignalFftAutoScale(SignalOperator):
    """``out = in << bits``, ``bits`` the free ones above the largest magnitude; both are outputs.

    Silence is not raised. As in TFLM a -32768 counts as the least magnitude, not the largest:
    what follows it decides, and may make the shift wrap.
    """

    tflite = "CUSTOM:SignalFftAutoScale"
    output_count = 2
    kernels = {DType.INT16: ("signal_fft_auto_scale_s16",)}

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and shapes."""
        if any(found := list(wanted_count(inputs, outputs, 1, 2))):
            yield from found
            return
        yield from wanted(inputs[0], "input", DType.INT16)
        yield from wanted(outputs[0], "output", DType.INT16)
        yield from wanted(outputs[1], "scale", DType.INT32)
        yield from wanted_shape(inputs[0], "input", outputs[0].shape)
        if outputs[1].elements != 1:
            yield "scale is more than one number"
        if inputs[0] is not None:
            yield from computed(inputs[0])

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Find the largest magnitude as TFLM does, then multiply."""
        (x,) = values
        assert x is not None
        largest = 0
        for value in ints(x):
            if abs(value) > largest:
                largest = -32768 if value == -32768 else abs(value)
        bits = 15 - largest.bit_length() if largest > 0 else 0
        raised = (x.astype(np.int64) << bits).astype(np.int16)
        return raised, np.full(outputs[1].shape, bits, np.int32)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel."""
        (x,) = inputs
        assert x is not None
        params = {"elements": x.elements}
        return (KernelCall("signal_fft_auto_scale_s16", params, (x,), outputs),)
