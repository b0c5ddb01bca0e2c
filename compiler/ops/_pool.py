"""What average and maximum pooling share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from tinysim.compiler.graph import DType, Tensor
from tinysim.compiler.ops import (
    Inputs,
    KernelCall,
    Operator,
    Options,
    wanted,
    wanted_quant,
    wanted_shape,
)
from tinysim.compiler.ops._window import Window
from tinysim.compiler.quantize import activation_range


@dataclass(frozen=True)
class Pool(Operator):
    """A window that reduces each channel by itself, ``[N, H, W, C]`` to ``[N, H, W, C]``."""

    kernel: ClassVar[str]

    padding: str
    stride_h: int
    stride_w: int
    filter_h: int
    filter_w: int
    activation: str

    @classmethod
    def from_tflite(cls, options: Options) -> Self:
        """Take padding, stride, window and fused activation."""
        return cls(
            options["Padding"],
            options["StrideH"],
            options["StrideW"],
            options["FilterHeight"],
            options["FilterWidth"],
            options["FusedActivationFunction"],
        )

    @property
    def window(self) -> Window:
        """The geometry of the window."""
        return Window(
            self.filter_h, self.filter_w, self.stride_h, self.stride_w, 1, 1, self.padding
        )

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check ranks, types, equal quantization and that the output has the computed shape."""
        x, out = inputs[0], outputs[0]
        yield from wanted(x, "input", DType.INT8)
        yield from wanted(out, "output", DType.INT8)
        yield from wanted_quant(x, "input")
        yield from wanted_quant(out, "output")
        if x is None:
            return
        if x.quant != out.quant:
            yield "input and output are quantized differently"
        if len(x.shape) != 4:
            yield f"input {list(x.shape)} must have 4 dimensions"
            return
        size = self.window.output_size(x.shape[1], x.shape[2])
        yield from wanted_shape(out, "output", (x.shape[0], *size, x.shape[3]))

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Pooling multiplies nothing."""
        return 0

    def bounds(self, out: Tensor) -> tuple[int, int]:
        """Return the range that the fused activation leaves."""
        return activation_range(self.activation, out.scale, out.zero_point)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the int8 kernel with the geometry as literals."""
        x, out = inputs[0], outputs[0]
        assert x is not None
        geometry = self.window.geometry(x.shape[1], x.shape[2])
        del geometry["dilation_h"], geometry["dilation_w"]
        low, high = self.bounds(out)
        params = {
            "batches": x.shape[0],
            "input_h": x.shape[1],
            "input_w": x.shape[2],
            "channels": x.shape[3],
            "output_h": out.shape[1],
            "output_w": out.shape[2],
            **geometry,
            "activation_min": low,
            "activation_max": high,
        }
        return (KernelCall(self.kernel, params, (x,), outputs),)
