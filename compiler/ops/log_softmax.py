"""LOG_SOFTMAX on float32."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator, wanted, wanted_shape


@dataclass(frozen=True)
class LogSoftmax(Operator):
    """``out = x - max(x) - log(sum exp(x - max(x)))`` over the last axis.

    Exponential and logarithm are rounded from double, so they agree with any good library to
    within one unit in the last place.
    """

    tflite = "LOG_SOFTMAX"
    kernels = {DType.FLOAT32: ("log_softmax_f32",)}

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and shapes."""
        yield from wanted(inputs[0], "input", DType.FLOAT32)
        yield from wanted(outputs[0], "output", DType.FLOAT32)
        yield from wanted_shape(inputs[0], "input", outputs[0].shape)

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Sum in single precision, in order."""
        assert values[0] is not None
        rows = values[0].reshape(-1, outputs[0].shape[-1])
        y = np.empty_like(rows)
        for index, row in enumerate(rows):
            with np.errstate(invalid="ignore"):  # a row of -inf has no answer but NaN
                centred = row - row.max()
            total = np.float32(0)
            for value in centred.tolist():
                total = total + np.float32(math.exp(value))
            y[index] = centred - np.float32(math.log(float(total)))
        return (y.reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel."""
        x = inputs[0]
        assert x is not None
        depth = x.shape[-1]
        params = {"rows": x.elements // depth, "depth": depth}
        return (KernelCall("log_softmax_f32", params, (x,), outputs),)
