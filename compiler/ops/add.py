"""ADD: two tensors of one shape, each with its own quantization."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import (
    Inputs,
    KernelCall,
    Operator,
    Options,
    wanted,
    wanted_quant,
    wanted_ratio,
    wanted_shape,
)
from tinysim.compiler.quantize import (
    activation_range,
    high_mul,
    quantize_multiplier,
    rounding_shift_right,
)

#: Bits that the inputs are raised by, so that adding them loses nothing.
LEFT_SHIFT = 20


@dataclass(frozen=True)
class Add(Operator):
    """``out = clamp(requantize(rescale(a) + rescale(b)))``, all of one shape."""

    tflite = "ADD"
    kernels = {DType.INT8: ("add_s8",)}

    activation: str

    @classmethod
    def from_tflite(cls, options: Options) -> Add:
        """Take the fused activation."""
        return cls(options["FusedActivationFunction"])

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and equal shapes."""
        if len(inputs) != 2:
            yield f"has {len(inputs)} inputs, expected 2"
            return
        for tensor, role in ((inputs[0], "first input"), (inputs[1], "second input")):
            yield from wanted(tensor, role, DType.INT8)
            yield from wanted_quant(tensor, role)
            yield from wanted_shape(tensor, role, outputs[0].shape)
            if tensor is not None and tensor.data is not None:
                yield f"{role} is a constant, the kernel adds two computed tensors"
        out = outputs[0]
        yield from wanted(out, "output", DType.INT8)
        yield from wanted_quant(out, "output")
        if out.quant is not None and all(tensor and tensor.quant for tensor in inputs):
            largest = max(tensor.scale for tensor in inputs if tensor is not None)
            ratio = 2.0 * largest / out.scale
            yield from wanted_ratio(ratio, "input scale over output scale", 2.0**LEFT_SHIFT)

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none: additions."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Rescale both inputs to a common scale, add, rescale to the output's."""
        p = {key: int(value) for key, value in self.lower(inputs, outputs)[0].params.items()}
        total: Array = np.zeros(outputs[0].shape, np.int64)
        for index, value in enumerate(values, start=1):
            assert value is not None
            raised = (value.astype(np.int64) + p[f"input{index}_offset"]) << LEFT_SHIFT
            total = total + _rescale(
                raised, p[f"input{index}_multiplier"], p[f"input{index}_shift"]
            )
        y = _rescale(total, p["output_multiplier"], p["output_shift"]) + p["output_offset"]
        return (np.clip(y, p["activation_min"], p["activation_max"]).astype(np.int8),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the int8 kernel; the common scale is twice the larger input scale."""
        a, b = inputs
        out = outputs[0]
        assert a is not None and b is not None
        common = 2.0 * max(a.scale, b.scale)
        low, high = activation_range(self.activation, out.scale, out.zero_point)
        params: dict[str, int] = {"elements": out.elements}
        for index, tensor in ((1, a), (2, b)):
            multiplier, shift = quantize_multiplier(tensor.scale / common)
            params |= {
                f"input{index}_offset": -tensor.zero_point,
                f"input{index}_multiplier": multiplier,
                f"input{index}_shift": shift,
            }
        multiplier, shift = quantize_multiplier(common / ((1 << LEFT_SHIFT) * out.scale))
        params |= {
            "output_offset": out.zero_point,
            "output_multiplier": multiplier,
            "output_shift": shift,
            "activation_min": low,
            "activation_max": high,
        }
        return (KernelCall("add_s8", params, (a, b), outputs),)


def _rescale(x: Array, multiplier: int, shift: int) -> Array:
    """Multiply by less than one: ``shift`` is not positive."""
    return rounding_shift_right(high_mul(x, multiplier), -shift)
