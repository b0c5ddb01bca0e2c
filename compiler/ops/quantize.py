"""QUANTIZE: float32 to integers, or integers to integers under another scale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import (
    Inputs,
    KernelCall,
    Operator,
    Overlap,
    wanted,
    wanted_quant,
    wanted_ratio,
    wanted_shape,
)
from tinysim.compiler.ops._overlap import element_overlaps
from tinysim.compiler.quantize import quantize_multiplier, requantize

#: C's suffixes of the types.
SUFFIXES = {
    DType.FLOAT32: "f32",
    DType.INT8: "s8",
    DType.UINT8: "u8",
    DType.INT16: "s16",
    DType.INT32: "s32",
}

#: Which types become which.
PAIRS = {
    DType.FLOAT32: (DType.INT8, DType.INT16, DType.UINT8),
    DType.INT8: (DType.INT8, DType.UINT8, DType.INT16, DType.INT32),
    DType.UINT8: (DType.INT8,),
    DType.INT16: (DType.INT8, DType.INT16, DType.INT32),
    DType.INT32: (DType.INT8, DType.INT16),
}


def kernel_of(x: DType, out: DType) -> str:
    """Return the kernel from one type to another."""
    if x is DType.FLOAT32:
        return f"quantize_f32_{SUFFIXES[out]}"
    if x is out is DType.INT8:
        return "requantize_s8"
    return f"requantize_{SUFFIXES[x]}_{SUFFIXES[out]}"


@dataclass(frozen=True)
class Quantize(Operator):
    """``out = clamp(round(in / scale) + zero_point)``.

    ``rounding`` of floats that are halves: ``away`` from zero as TFLite, to ``even`` as ONNX.
    """

    tflite = "QUANTIZE"
    is_elementwise = True
    kernels = {x: tuple(kernel_of(x, out) for out in outs) for x, outs in PAIRS.items()}

    rounding: str = "away"

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and shapes."""
        x, out = inputs[0], outputs[0]
        yield from wanted(x, "input", *PAIRS)
        if x is None or x.dtype not in PAIRS:
            return
        yield from wanted(out, "output", *PAIRS[x.dtype])
        yield from wanted_quant(out, "output")
        yield from wanted_shape(x, "input", out.shape)
        if self.rounding not in ("away", "even"):
            yield f"rounding is {self.rounding}"
        if x.dtype is not DType.FLOAT32:
            yield from wanted_quant(x, "input")
            if x.quant is not None and out.quant is not None:
                yield from wanted_ratio(x.scale / out.scale, "input scale over output scale")
        for tensor, role in ((x, "input"), (out, "output")):
            if tensor.dtype is DType.INT32 and tensor.quant and any(tensor.quant.zero_point):
                yield f"{role} is int32 with a zero point, the kernels take symmetric int32"

    def overlaps(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Mapping[int, Overlap]:
        """Let the output lie over the input."""
        return element_overlaps(inputs, outputs[0])

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Divide in single precision, as the reference does."""
        x, out = values[0], outputs[0]
        assert x is not None
        limits = np.iinfo(out.dtype.value)
        if x.dtype != np.float32:
            p = {key: int(value) for key, value in self.lower(inputs, outputs)[0].params.items()}
            acc = x.astype(np.int64) + p["input_offset"]
            y = requantize(acc, p["multiplier"], p["shift"]) + p["output_offset"]
            return (np.clip(y, limits.min, limits.max).astype(out.dtype.value),)
        with np.errstate(over="ignore"):
            scaled = (x / np.float32(out.scale)).astype(np.float64)
        is_even = self.rounding == "even"
        rounded = np.rint(scaled) if is_even else np.trunc(scaled + np.copysign(0.5, scaled))
        # What is not a number becomes the smallest, as the kernel has it.
        moved = np.nan_to_num(rounded, nan=-np.inf) + out.zero_point
        return (np.clip(moved, limits.min, limits.max).astype(out.dtype.value),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the two types."""
        x, out = inputs[0], outputs[0]
        assert x is not None
        kernel = kernel_of(x.dtype, out.dtype)
        params: dict[str, int | float] = {"elements": out.elements}
        if x.dtype is DType.FLOAT32:
            params |= {"scale": out.scale, "zero_point": out.zero_point}
            params["rounds_to_even"] = int(self.rounding == "even")
        else:
            multiplier, shift = quantize_multiplier(x.scale / out.scale)
            params |= {
                "input_offset": -x.zero_point,
                "output_offset": out.zero_point,
                "multiplier": multiplier,
                "shift": shift,
            }
        computed, constants = ((x,), ()) if x.data is None else ((), (x.data,))
        return (KernelCall(kernel, params, computed, outputs, constants),)
