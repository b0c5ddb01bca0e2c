"""What average and maximum pooling share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

from tinysim.compiler.graph import DType, Tensor
from tinysim.compiler.ops import (
    Inputs,
    KernelCall,
    Operator,
    Options,
    Overlap,
    wanted,
    wanted_quant,
    wanted_shape,
)
from tinysim.compiler.ops._overlap import window_overlap
from tinysim.compiler.ops._window import Window
from tinysim.compiler.quantize import activation_range, float_activation_range

#: Positions of a window whose sum surely fits 32 bits.
MAX_POSITIONS = {DType.INT8: 2**23, DType.INT16: 2**15, DType.FLOAT32: 2**23}

#: No coordinate of a window may leave 32 bits.
MAX_STEP = 2**23


@dataclass(frozen=True)
class Pool(Operator):
    """A window that reduces each channel by itself, ``[N, H, W, C]`` to ``[N, H, W, C]``."""

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
        yield from wanted(x, "input", DType.INT8, DType.INT16, DType.FLOAT32)
        if x is None or x.dtype not in MAX_POSITIONS:
            return
        yield from wanted(out, "output", x.dtype)
        if x.dtype is not DType.FLOAT32:
            yield from wanted_quant(x, "input")
            yield from wanted_quant(out, "output")
            if x.quant != out.quant:
                yield "input and output are quantized differently"
        if len(x.shape) != 4:
            yield f"input {list(x.shape)} must have 4 dimensions"
            return
        if self.filter_h * self.filter_w > (most := MAX_POSITIONS[x.dtype]):
            yield f"a window of {self.filter_h} x {self.filter_w} is too large (at most {most:,})"
            return
        if max(self.stride_h, self.stride_w) > MAX_STEP:
            yield f"a stride of {max(self.stride_h, self.stride_w)} is too large"
            return
        size = self.window.output_size(x.shape[1], x.shape[2])
        yield from wanted_shape(out, "output", (x.shape[0], *size, x.shape[3]))
        if self._has_empty_window(x):
            yield "a window lies in the padding and has nothing of the input"

    def _has_empty_window(self, x: Tensor) -> bool:
        """Tell whether the first or the last window along an axis misses the input."""
        window = self.window
        axes = zip(
            x.shape[1:3],
            window.output_size(x.shape[1], x.shape[2]),
            window.pad(x.shape[1], x.shape[2]),
            (self.filter_h, self.filter_w),
            (self.stride_h, self.stride_w),
            strict=True,
        )
        return any(
            pad >= filter_ or (positions - 1) * stride - pad >= size
            for size, positions, pad, filter_, stride in axes
        )

    def overlaps(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Mapping[int, Overlap]:
        """Let the output lie over rows that no window needs any more."""
        x = inputs[0]
        assert x is not None
        rule = window_overlap(self.window, x, outputs[0])
        return {} if rule is None else {0: replace(rule, backward=None)}

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Pooling multiplies nothing."""
        return 0

    def bounds(self, out: Tensor) -> tuple[float, float]:
        """Return the range that the fused activation leaves."""
        if out.dtype is DType.FLOAT32:
            return float_activation_range(self.activation)
        bits = 8 * out.dtype.itemsize
        return activation_range(self.activation, out.scale, out.zero_point, bits)

    def own_params(self, out: Tensor) -> dict[str, int | float]:
        """Return the parameters that only this kind of pooling has."""
        return {}

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the type with the geometry as literals."""
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
            **self.own_params(out),
            "activation_min": low,
            "activation_max": high,
        }
        return (KernelCall(self.kernels[x.dtype][0], params, (x,), outputs),)
