"""DEQUANTIZE: integers to float32."""

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
    wanted_shape,
)
from tinysim.compiler.ops._overlap import element_overlaps


@dataclass(frozen=True)
class Dequantize(Operator):
    """``out = scale * (in - zero_point)``, in single precision."""

    tflite = "DEQUANTIZE"
    is_elementwise = True
    kernels = {
        DType.INT8: ("dequantize_s8_f32",),
        DType.UINT8: ("dequantize_u8_f32",),
        DType.INT16: ("dequantize_s16_f32",),
        DType.INT32: ("dequantize_s32_f32",),
    }

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and shapes."""
        x, out = inputs[0], outputs[0]
        yield from wanted(x, "input", *self.kernels)
        yield from wanted_quant(x, "input")
        yield from wanted(out, "output", DType.FLOAT32)
        yield from wanted_shape(x, "input", out.shape)
        if x is not None and x.dtype is DType.INT32 and x.quant and any(x.quant.zero_point):
            yield "input is int32 with a zero point, the kernel takes symmetric int32"

    def overlaps(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Mapping[int, Overlap]:
        """Let the output lie over the input."""
        return element_overlaps(inputs, outputs[0])

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Multiply in single precision."""
        x = inputs[0]
        assert x is not None and values[0] is not None
        centred = values[0].astype(np.int64) - x.zero_point
        with np.errstate(over="ignore"):
            return (centred.astype(np.float32) * np.float32(x.scale),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel."""
        x = inputs[0]
        assert x is not None
        params = {"elements": x.elements, "scale": x.scale, "zero_point": x.zero_point}
        computed, constants = ((x,), ()) if x.data is None else ((), (x.data,))
        kernel = self.kernels[x.dtype][0]
        return (KernelCall(kernel, params, computed, outputs, constants),)
