"""QLINEAR_AVERAGE_POOL: ONNX Runtime's mean of an int8 window, in float32.

TFLite's AVERAGE_POOL_2D divides integers and cannot change the quantization.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, wanted_ratio
from tinysim.compiler.ops._pool import Pool


@dataclass(frozen=True)
class QLinearAveragePool(Pool):
    """``out = clamp(round_half_even(mean(scale * (in - zero)) / out_scale + out_zero))``.

    Each step is one of float32, row after row. ``offset`` is what the file's bytes are more than
    here, 128 if they have no sign: the output's zero point is added in float32.
    """

    tflite = "QLINEAR_AVERAGE_POOL"
    kernels = {DType.INT8: ("qlinear_average_pool_s8",)}

    counts_padding: bool
    offset: int

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check what all pools check, but for equal quantization."""
        x, out = inputs[0], outputs[0]
        if x is None or x.dtype is not DType.INT8 or x.quant is None or out.quant is None:
            yield "input and output must be quantized int8"
            return
        yield from super().problems(inputs, (replace(out, quant=x.quant), *outputs[1:]))
        if len(x.quant.scale) != 1 or len(out.quant.scale) != 1:
            yield "input and output must have one scale each"
        elif not min(np.float32(x.scale), np.float32(out.scale)) > 0:
            yield "a scale vanishes in float32"
        else:
            yield from wanted_ratio(x.scale / out.scale, "input scale over output scale", 2.0**12)
            yield from wanted_ratio(x.scale, "input scale", 2.0**96)
        if self.offset not in (0, 128) or self.activation != "NONE":
            yield f"offset {self.offset} and activation {self.activation}"

    def own_params(self, out: Tensor) -> dict[str, int | float]:
        """Return what sums are divided by if it is fixed, and the output's quantization."""
        return {
            "count": self.filter_h * self.filter_w if self.counts_padding else 0,
            "output_scale": float(np.float32(out.scale)),
            "zero_point": out.zero_point + self.offset,
            "offset": self.offset,
        }

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Add the input's quantization to what all pools have."""
        x = inputs[0]
        assert x is not None
        (call,) = super().lower(inputs, outputs)
        own = {"input_scale": float(np.float32(x.scale)), "input_offset": -x.zero_point}
        return (replace(call, params={**call.params, **own}),)

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Sum row after row in float32."""
        x, out = inputs[0], outputs[0]
        assert x is not None and values[0] is not None
        steps = (values[0].astype(np.int32) - x.zero_point).astype(np.float32)
        patches = self.window.patches(steps * np.float32(x.scale), 0)
        total = np.zeros_like(patches[:, :, :, 0, 0])
        for row in range(self.filter_h):
            for column in range(self.filter_w):
                total = total + patches[:, :, :, row, column]
        ones = np.ones(x.shape, np.int32)
        inside = self.window.patches(ones, 0).sum(axis=(3, 4), dtype=np.int32)
        count = np.full_like(inside, self.filter_h * self.filter_w)
        count = count if self.counts_padding else inside
        mean = total / count.astype(np.float32)
        y = np.rint(mean / np.float32(out.scale) + np.float32(out.zero_point + self.offset))
        return (np.clip(y - self.offset, -128, 127).astype(np.int8),)
