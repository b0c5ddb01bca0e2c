"""MEAN: the average over neighbouring axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import (
    Inputs,
    KernelCall,
    Operator,
    wanted,
    wanted_constant,
    wanted_quant,
    wanted_ratio,
)
from tinysim.compiler.quantize import quantize_multiplier, requantize


@dataclass(frozen=True)
class Mean(Operator):
    """``out[o, i] = requantize(sum_r in[o, r, i])`` with the division inside the multiplier.

    Shapes: input ``[outer, reduced, inner]`` after merging axes, axes constant and adjacent.
    """

    tflite = "MEAN"
    kernels = {DType.INT8: ("mean_s8",)}

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and that the axes are adjacent."""
        if len(inputs) != 2:
            yield f"has {len(inputs)} inputs, expected 2"
            return
        x, axes = inputs
        yield from wanted(x, "input", DType.INT8)
        yield from wanted(outputs[0], "output", DType.INT8)
        yield from wanted_quant(x, "input")
        yield from wanted_quant(outputs[0], "output")
        yield from wanted(axes, "axes", DType.INT32)
        yield from wanted_constant(axes, "axes")
        if x is None or axes is None or axes.data is None:
            return
        if x.quant is not None and outputs[0].quant is not None:
            yield from wanted_ratio(x.scale / outputs[0].scale, "input scale over output scale")
        rank = len(x.shape)
        found = axes.data.ravel().tolist()
        if not found or any(not -rank <= axis < rank for axis in found):
            yield f"axes {found} do not go with input {list(x.shape)}"
            return
        first, last = _span(x, axes)
        if len({axis % rank for axis in found}) != last - first:
            yield f"axes {found} are not neighbours"
        elif outputs[0].elements * prod(x.shape[first:last]) != x.elements:
            yield f"output {list(outputs[0].shape)} does not go with axes {found}"

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Sum, centre and requantize."""
        p = {key: int(value) for key, value in self.lower(inputs, outputs)[0].params.items()}
        assert values[0] is not None
        x = values[0].astype(np.int64).reshape(p["outer"], p["reduced"], p["inner"])
        acc = x.sum(axis=1) + p["reduced"] * p["input_offset"]
        y = requantize(acc, p["multiplier"], p["shift"]) + p["output_offset"]
        return (np.clip(y, -128, 127).astype(np.int8).reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Fold the division by the number of elements into the multiplier, as TFLM does."""
        x, axes = inputs
        out = outputs[0]
        assert x is not None and axes is not None
        first, last = _span(x, axes)
        reduced = prod(x.shape[first:last])
        multiplier, shift = quantize_multiplier(x.scale / out.scale)
        extra = min(reduced.bit_length() - 1, 32, 31 + shift)
        params = {
            "outer": prod(x.shape[:first]),
            "reduced": reduced,
            "inner": prod(x.shape[last:]),
            "input_offset": -x.zero_point,
            "output_offset": out.zero_point,
            "multiplier": (multiplier << extra) // reduced,
            "shift": shift - extra,
        }
        return (KernelCall("mean_s8", params, (x,), outputs),)


def _span(x: Tensor, axes: Tensor) -> tuple[int, int]:
    """Return the first reduced axis and the one behind the last."""
    assert axes.data is not None
    found = [int(axis) % len(x.shape) for axis in axes.data.ravel()]
    return min(found), max(found) + 1
