"""What the operators that reduce axes share: the axes, their checks and how they are merged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from math import prod
from typing import Any

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import (
    Inputs,
    KernelCall,
    Operator,
    Options,
    wanted,
    wanted_constant,
    wanted_quant,
    wanted_ratio,
)
from tinysim.compiler.ops._elementwise import QUANTIZED
from tinysim.compiler.quantize import quantize_multiplier, requantize, wrap_int32

#: Names, in this order, of what the kernels see an input as: kept and reduced axes in turn.
_MERGED = ("outer", "reduced0", "middle", "reduced1", "inner")


@dataclass(frozen=True)
class Reduction(Operator):
    """``out[o, m, i] = reduce over r, s of in[o, r, m, s, i]``, after merging neighbouring axes.

    Axes are a constant input; any set of a rank up to 4, of more as long as the reduced ones
    stand in at most two runs. Axes named twice count once; naming none reduces nothing.
    """

    @classmethod
    def from_tflite(cls, options: Options) -> Operator:
        """Take nothing: whether reduced axes are kept shows in the output's shape."""
        return cls()

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and that the output has the reduced shape."""
        if len(inputs) != 2:
            yield f"has {len(inputs)} inputs, expected 2"
            return
        x, axes = inputs
        yield from wanted(x, "input", *self.kernels)
        yield from wanted(axes, "axes", DType.INT32)
        yield from wanted_constant(axes, "axes")
        if x is None or x.dtype not in self.kernels or axes is None or axes.data is None:
            return
        yield from wanted(outputs[0], "output", x.dtype)
        if x.dtype in QUANTIZED:
            yield from wanted_quant(x, "input")
            yield from wanted_quant(outputs[0], "output")
            if x.quant is not None and outputs[0].quant is not None:
                yield from self.quant_problems(x, outputs[0])
        rank, named = len(x.shape), axes.data.ravel().tolist()
        if any(not -rank <= axis < rank for axis in named):
            yield f"axes {named} do not go with input {list(x.shape)}"
            return
        reduced = _reduced(x, axes)
        kept = tuple(size for axis, size in enumerate(x.shape) if axis not in reduced)
        ones = tuple(1 if axis in reduced else size for axis, size in enumerate(x.shape))
        if outputs[0].shape not in (kept, ones):
            yield f"output {list(outputs[0].shape)} does not go with axes {named}"
        if _merged(x, axes) is None:
            yield f"axes {named} of {list(x.shape)} stand in more than two runs"

    def quant_problems(self, x: Tensor, out: Tensor) -> Iterator[str]:
        """Yield what of the quantization of input and output no kernel can take."""
        yield from wanted_ratio(x.scale / out.scale, "input scale over output scale")

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def merged(self, inputs: Inputs) -> dict[str, int]:
        """Return the sizes that a kernel sees the input as."""
        x, axes = inputs[:2]
        assert x is not None and axes is not None
        found = _merged(x, axes)
        assert found is not None
        return dict(zip(_MERGED, found, strict=True))

    def rows(self, inputs: Inputs, values: tuple[Array | None, ...]) -> Array:
        """Return ``[reduced, elements of the output]``, each column in the order of memory."""
        assert values[0] is not None
        sizes = tuple(self.merged(inputs).values())
        turned: Array = values[0].reshape(sizes).transpose(1, 3, 0, 2, 4)
        return turned.reshape(sizes[1] * sizes[3], -1)


@dataclass(frozen=True)
class Total(Reduction):
    """Sums, or means of ``divisor`` elements each: one kernel, for that is one more factor."""

    kernels = {
        DType.INT8: ("sum_s8",),
        DType.INT16: ("sum_s16",),
        DType.FLOAT32: ("sum_f32",),
    }

    def divisor(self, reduced: int) -> int:
        """Return what the sum of ``reduced`` elements is divided by."""
        return 1

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Sum in order, then divide; integers are centred and requantized."""
        p = self.lower(inputs, outputs)[0].params
        rows = self.rows(inputs, values)
        if rows.dtype == np.float32:
            with np.errstate(all="ignore"):
                total = np.add.accumulate(rows, axis=0)[-1] / np.float32(p["divisor"])
            return (total.reshape(outputs[0].shape),)
        acc = rows.sum(axis=0, dtype=np.int64) + len(rows) * int(p["input_offset"])
        y = requantize(wrap_int32(acc), int(p["multiplier"]), int(p["shift"]))
        limits = np.iinfo(rows.dtype)
        clipped = np.clip(y + int(p["output_offset"]), limits.min, limits.max)
        return (clipped.astype(rows.dtype).reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Fold a division of integers into the multiplier, as TFLM does."""
        x, out = inputs[0], outputs[0]
        assert x is not None
        sizes = self.merged(inputs)
        divisor = self.divisor(sizes["reduced0"] * sizes["reduced1"])
        kernel = self.kernels[x.dtype][0]
        if x.dtype is DType.FLOAT32:
            params = {**sizes, "divisor": float(divisor)}
            return (KernelCall(kernel, params, (x,), outputs),)
        multiplier, shift = quantize_multiplier(x.scale / out.scale)
        extra = min(divisor.bit_length() - 1, 32, 31 + shift)
        own = {
            "input_offset": -x.zero_point,
            "output_offset": out.zero_point,
            "multiplier": (multiplier << extra) // divisor,
            "shift": shift - extra,
        }
        return (KernelCall(kernel, {**sizes, **own}, (x,), outputs),)


@dataclass(frozen=True)
class Extreme(Reduction):
    """The largest or the smallest; input and output have one quantization."""

    def quant_problems(self, x: Tensor, out: Tensor) -> Iterator[str]:
        """Refuse what would have to be rescaled."""
        if x.quant != out.quant:
            yield "input and output are quantized differently"

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the type."""
        x = inputs[0]
        assert x is not None
        kernel = self.kernels[x.dtype][0]
        return (KernelCall(kernel, self.merged(inputs), (x,), outputs),)


def limits_of(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Return the lowest and the largest finite value of a type."""
    limits = np.finfo(np.float32) if dtype == np.float32 else np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def _reduced(x: Tensor, axes: Tensor) -> set[int]:
    """Return the reduced axes, counted from the front."""
    assert axes.data is not None
    return {axis % len(x.shape) for axis in axes.data.ravel().tolist()}


def _merged(x: Tensor, axes: Tensor) -> tuple[int, ...] | None:
    """Return sizes of kept and reduced runs of axes in turn, five of them; None if there are more.

    Axes of one element belong to any run.
    """
    reduced = _reduced(x, axes)
    long = [axis for axis, size in enumerate(x.shape) if size != 1]
    runs = [
        (is_reduced, prod(x.shape[axis] for axis in run))
        for is_reduced, run in groupby(long, lambda axis: axis in reduced)
    ]
    if runs and runs[0][0]:
        runs.insert(0, (False, 1))
    sizes = [size for _, size in runs]
    return (*sizes, *[1] * (5 - len(sizes))) if len(sizes) <= 5 else None
