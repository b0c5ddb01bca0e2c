"""QLINEAR_GLOBAL_AVERAGE_POOL: ONNX Runtime's mean of whole int8 channels.

TFLite's MEAN rescales in integers.
"""

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

#: Sums of as many bytes are exact in float32's 24 bits or rounded once, as the model's are.
MAX_POSITIONS = 2**22


@dataclass(frozen=True)
class QLinearGlobalAveragePool(Operator):
    """``out = clamp(round_half_even(sum(in - zero) * ratio) + out_zero)``, ratio in float32.

    Shapes: input ``[N, H, W, C]``, output ``[N, 1, 1, C]``.
    """

    tflite = "QLINEAR_GLOBAL_AVERAGE_POOL"
    kernels = {DType.INT8: ("qlinear_global_average_pool_s8",)}

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shapes and that the ratio of scales is moderate."""
        x, out = inputs[0], outputs[0]
        for tensor, role in ((x, "input"), (out, "output")):
            yield from wanted(tensor, role, DType.INT8)
            yield from wanted_quant(tensor, role)
        if x is None or len(x.shape) != 4:
            yield "input must have 4 dimensions"
            return
        yield from wanted_shape(out, "output", (x.shape[0], 1, 1, x.shape[3]))
        if x.shape[1] * x.shape[2] > MAX_POSITIONS:
            yield f"{x.shape[1] * x.shape[2]:,} positions, the kernel sums {MAX_POSITIONS:,}"
        if x.quant and out.quant and len(x.quant.scale) == len(out.quant.scale) == 1:
            yield from wanted_ratio(x.scale / out.scale, "input scale over output scale", 2.0**12)
            if not np.float32(out.scale) > 0:
                yield "the output scale vanishes in float32"

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Sum integers, scale in float32."""
        x, out = inputs[0], outputs[0]
        assert x is not None and values[0] is not None
        steps = values[0].astype(np.int32) - x.zero_point
        total = steps.sum(axis=(1, 2), keepdims=True, dtype=np.int32).astype(np.float32)
        y = np.rint(total * np.float32(_ratio(x, out))) + out.zero_point
        return (np.clip(y, -128, 127).astype(np.int8),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the int8 kernel."""
        x, out = inputs[0], outputs[0]
        assert x is not None
        params: dict[str, int | float] = {
            "batches": x.shape[0],
            "positions": x.shape[1] * x.shape[2],
            "channels": x.shape[3],
            "input_offset": -x.zero_point,
            "ratio": _ratio(x, out),
            "zero_point": out.zero_point,
        }
        return (KernelCall("qlinear_global_average_pool_s8", params, (x,), outputs),)


def _ratio(x: Tensor, out: Tensor) -> float:
    """Return the input's scale over the output's and the number of positions, in float32."""
    positions = np.float32(x.shape[1] * x.shape[2])
    with np.errstate(over="ignore"):
        return float(np.float32(x.scale) / (np.float32(out.scale) * positions))
