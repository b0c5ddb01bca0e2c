"""QUANTIZE: float32 to int8, or int8 to int8 under another scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import (
    Inputs,
    KernelCall,
    Operator,
    wanted,
    wanted_quant,
    wanted_ratio,
    wanted_shape,
)
from tinysim.compiler.quantize import quantize_multiplier, requantize


@dataclass(frozen=True)
class Quantize(Operator):
    """``out = clamp(round(in / scale) + zero_point)``, halves away from zero."""

    tflite = "QUANTIZE"
    kernels = {DType.FLOAT32: ("quantize_f32_s8",), DType.INT8: ("requantize_s8",)}

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and shapes."""
        x, out = inputs[0], outputs[0]
        yield from wanted(x, "input", DType.FLOAT32, DType.INT8)
        yield from wanted(out, "output", DType.INT8)
        yield from wanted_quant(out, "output")
        yield from wanted_shape(x, "input", out.shape)
        if x is not None and x.dtype is DType.INT8:
            yield from wanted_quant(x, "input")
            if x.quant is not None and out.quant is not None:
                yield from wanted_ratio(x.scale / out.scale, "input scale over output scale")

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Divide in single precision, as the reference does."""
        x, out = values[0], outputs[0]
        assert x is not None
        if x.dtype == np.int8:
            p = {key: int(value) for key, value in self.lower(inputs, outputs)[0].params.items()}
            acc = x.astype(np.int64) + p["input_offset"]
            y = requantize(acc, p["multiplier"], p["shift"]) + p["output_offset"]
            return (np.clip(y, -128, 127).astype(np.int8),)
        with np.errstate(over="ignore"):
            scaled = (x / np.float32(out.scale)).astype(np.float64)
        # What is not a number becomes the smallest, as the kernel has it.
        rounded = np.nan_to_num(np.trunc(scaled + np.copysign(0.5, scaled)), nan=-np.inf)
        return (np.clip(rounded + out.zero_point, -128, 127).astype(np.int8),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the input's type."""
        x, out = inputs[0], outputs[0]
        assert x is not None
        params: dict[str, int | float] = {"elements": out.elements}
        if x.dtype is DType.FLOAT32:
            params |= {"scale": out.scale, "zero_point": out.zero_point}
            return (KernelCall("quantize_f32_s8", params, (x,), outputs),)
        multiplier, shift = quantize_multiplier(x.scale / out.scale)
        params |= {
            "input_offset": -x.zero_point,
            "output_offset": out.zero_point,
            "multiplier": multiplier,
            "shift": shift,
        }
        return (KernelCall("requantize_s8", params, (x,), outputs),)
