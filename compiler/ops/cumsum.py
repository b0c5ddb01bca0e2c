"""CUMSUM: sums of all elements up to each, along an axis."""

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
    Options,
    wanted,
    wanted_quant,
    wanted_ratio,
    wanted_shape,
)
from tinysim.compiler.ops._elementwise import Params, multiplier_params
from tinysim.compiler.ops._movement import numbers, wanted_axis, wanted_inputs, wanted_numbers
from tinysim.compiler.quantize import requantize, wrap_int32

#: Bits that int8 elements are raised by; the sum wraps.
LEFT_SHIFT = 19


@dataclass(frozen=True)
class CumSum(Operator):
    """``out[i] = sum in[j]`` over ``j <= i``, or ``j < i`` if exclusive; from the end if reversed.

    As in TFLM, sums of int8 begin with the zero point, taken off once more.
    """

    tflite = "CUMSUM"
    kernels = {DType.INT8: ("cumsum_s8",), DType.FLOAT32: ("cumsum_f32",)}

    exclusive: bool = False
    reverse: bool = False

    @classmethod
    def from_tflite(cls, options: Options) -> CumSum:
        """Take which elements count."""
        return cls(bool(options["Exclusive"]), bool(options["Reverse"]))

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shapes, scales and the axis."""
        if problems := list(wanted_inputs(inputs, 2)):
            yield from problems
            return
        (x, axis), out = inputs, outputs[0]
        yield from wanted(x, "input", *self.kernels)
        problems = list(wanted_numbers(axis, "axis", 1))
        yield from problems
        if x is None or x.dtype not in self.kernels:
            return
        yield from wanted(out, "output", x.dtype)
        yield from wanted_shape(x, "input", out.shape)
        if x.data is not None:
            yield "input is a constant, the kernels sum what is computed"
        if not problems:
            yield from wanted_axis(numbers(axis)[0], len(x.shape))
        if x.dtype is DType.INT8 and out.dtype is DType.INT8:
            quants = [*wanted_quant(x, "input"), *wanted_quant(out, "output")]
            yield from quants
            if not quants:
                ratio = 2.0 * x.scale / out.scale
                yield from wanted_ratio(ratio, "input scale over output scale", 2.0**20)

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Sum in order."""
        x = values[0]
        assert x is not None
        p = self.lower(inputs, outputs)[0].params
        outer, length, inner = (int(p[name]) for name in ("outer", "length", "inner"))
        rows = x.reshape(outer, length, inner)[:, :: -1 if self.reverse else 1]
        first = np.zeros((outer, 1, inner), np.float32)
        if x.dtype == np.int8:
            rows = rows.astype(np.int64) + int(p["input_offset"])
            first = np.full((outer, 1, inner), int(p["input_offset"]))
        with np.errstate(all="ignore"):
            sums = np.add.accumulate(np.concatenate([first, rows], axis=1), axis=1)
        sums = sums[:, :-1] if self.exclusive else sums[:, 1:]
        if x.dtype == np.int8:
            raised = wrap_int32(sums << LEFT_SHIFT)
            scaled = requantize(raised, int(p["output_multiplier"]), int(p["output_shift"]))
            sums = np.clip(scaled + int(p["output_offset"]), -128, 127)
        turned = sums[:, :: -1 if self.reverse else 1]
        return (turned.astype(x.dtype).reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the type."""
        (x, axis), out = inputs, outputs[0]
        assert x is not None
        place = numbers(axis)[0] % len(x.shape)
        params: Params = {
            "outer": prod(x.shape[:place]),
            "length": x.shape[place],
            "inner": prod(x.shape[place + 1 :]),
            "is_exclusive": int(self.exclusive),
            "is_reversed": int(self.reverse),
        }
        if x.dtype is DType.INT8:
            params |= {"input_offset": -x.zero_point, "output_offset": out.zero_point}
            params |= multiplier_params("output", 2.0 * x.scale / (2.0**20 * out.scale))
        return (KernelCall(self.kernels[x.dtype][0], params, (x,), outputs),)
