"""BATCH_MATMUL: products of matrices, batch by batch."""

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
from tinysim.compiler.quantize import quantize_multiplier, requantize, wrap_int32

#: 64-bit accumulators are shifted left by at most 7.
MAX_WIDE_RATIO = 2.0**7

#: Products of int16 that surely add up below the 2^47 that can be scaled.
MAX_WIDE_DEPTH = 2**16

BATCH_AXES = 3


@dataclass(frozen=True)
class BatchMatmul(Operator):
    """``out[.., m, n] = sum_k x[.., m, k] * y[.., k, n]``; the batch axes broadcast.

    ``adj_x`` and ``adj_y`` say that the last two axes of an operand are swapped. Ranks are 2 to
    5, either operand may be a constant.
    """

    tflite = "BATCH_MATMUL"
    kernels = {
        DType.INT8: ("batch_matmul_s8",),
        DType.INT16: ("batch_matmul_s16",),
        DType.FLOAT32: ("batch_matmul_f32",),
    }

    adj_x: bool = False
    adj_y: bool = False

    @classmethod
    def from_tflite(cls, options: Options) -> BatchMatmul:
        """Take which operands are transposed."""
        return cls(bool(options["AdjX"]), bool(options["AdjY"]))

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, quantization and that the shapes go together."""
        if len(inputs) != 2:
            yield f"has {len(inputs)} inputs, expected 2"
            return
        x, y = inputs
        out = outputs[0]
        yield from wanted(x, "first operand", *self.kernels)
        if x is None or x.dtype not in self.kernels:
            return
        yield from wanted(y, "second operand", x.dtype)
        yield from wanted(out, "output", x.dtype)
        if y is None:
            return
        if x.data is not None and y.data is not None:
            yield "both operands are constants"
        if x.dtype is not DType.FLOAT32:
            yield from self._quant_problems(x, y, out)
        if not all(2 <= len(tensor.shape) <= 2 + BATCH_AXES for tensor in (x, y)):
            yield f"operands {list(x.shape)} and {list(y.shape)} must have 2 to 5 dimensions"
            return
        (rows, depth), (depth_y, columns) = self._matrices(x, y)
        if depth != depth_y:
            yield f"operands of depth {depth} and {depth_y} have no product"
        if x.dtype is DType.INT16 and depth > MAX_WIDE_DEPTH:
            yield f"a depth of {depth:,} overflows the sum (at most {MAX_WIDE_DEPTH:,})"
        try:
            batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        except ValueError:
            yield f"batches of {list(x.shape)} and {list(y.shape)} do not broadcast"
            return
        yield from wanted_shape(out, "output", (*batch, rows, columns))

    def _quant_problems(self, x: Tensor, y: Tensor, out: Tensor) -> Iterator[str]:
        """Check scales, and that int16 is symmetric."""
        named = ((x, "first operand"), (y, "second operand"), (out, "output"))
        for tensor, role in named:
            yield from wanted_quant(tensor, role)
        if not all(tensor.quant for tensor, _ in named):
            return
        wide = x.dtype is DType.INT16
        if wide and any(tensor.zero_point for tensor, _ in named):
            yield "int16 is symmetric, but there is a zero point"
        ratio, role = _ratio(x, y, out), "product of scales over output scale"
        yield from wanted_ratio(ratio, role, MAX_WIDE_RATIO if wide else 2.0**30)

    def _matrices(self, x: Tensor, y: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return ``[m, k]`` and ``[k, n]``."""
        left = x.shape[:-3:-1] if self.adj_x else x.shape[-2:]
        right = y.shape[:-3:-1] if self.adj_y else y.shape[-2:]
        return left, right

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count one an output and depth."""
        x, y = inputs
        assert x is not None and y is not None
        return outputs[0].elements * self._matrices(x, y)[0][1]

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Multiply; floats are summed in order, in single precision."""
        (x, y), out = inputs, outputs[0]
        left, right = values
        assert x is not None and y is not None and left is not None and right is not None
        left = left.swapaxes(-1, -2) if self.adj_x else left
        right = right.swapaxes(-1, -2) if self.adj_y else right
        if left.dtype == np.float32:
            total = np.zeros(out.shape, np.float32)
            with np.errstate(all="ignore"):
                for k in range(left.shape[-1]):
                    total = total + left[..., :, k : k + 1] * right[..., k : k + 1, :]
            return (total,)
        acc = (left.astype(np.int64) - x.zero_point) @ (right.astype(np.int64) - y.zero_point)
        multiplier, shift = quantize_multiplier(_ratio(x, y, out))
        if left.dtype == np.int16:
            # Scaled with 15 bits of the multiplier and rounded once, halves up.
            right_shift = 15 - shift
            scaled = acc * _reduced(multiplier) + (np.int64(1) << (right_shift - 1))
            total = wrap_int32(scaled >> right_shift)
        else:
            total = requantize(wrap_int32(acc), multiplier, shift) + out.zero_point
        limits = np.iinfo(left.dtype)
        return (np.clip(total, limits.min, limits.max).astype(left.dtype),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the type, with the product transposed if the first is a constant."""
        (x, y), out = inputs, outputs[0]
        assert x is not None and y is not None
        (rows, depth), (_, columns) = self._matrices(x, y)
        left = (x, rows, 1 if self.adj_x else depth, rows if self.adj_x else 1, columns)
        right = (y, columns, depth if self.adj_y else 1, 1 if self.adj_y else columns, 1)
        # Kernels get what is computed first and constants behind it.
        first, second = (right, left) if x.data is not None else (left, right)
        params: dict[str, int | float] = {}
        for axis in range(BATCH_AXES):
            params[f"batch{axis}"] = _padded(out.shape)[axis]
        params |= {"rows": first[1], "columns": second[1], "depth": depth}
        for role, (tensor, _, step, depth_step, _) in (("first", first), ("second", second)):
            for axis, stride in enumerate(_batch_strides(tensor)):
                params[f"{role}_batch{axis}_step"] = stride
            params |= {f"{role}_step": step, f"{role}_depth_step": depth_step}
        params |= {"row_step": first[4], "column_step": second[4]}
        if x.dtype is not DType.FLOAT32:
            params |= self._scaling(first[0], second[0], out)
        computed = tuple(t for t in (first[0], second[0]) if t.data is None)
        constants = tuple(t.data for t in (first[0], second[0]) if t.data is not None)
        return (KernelCall(self.kernels[x.dtype][0], params, computed, outputs, constants),)

    def _scaling(self, first: Tensor, second: Tensor, out: Tensor) -> dict[str, int]:
        """Return the parameters that only integers have."""
        multiplier, shift = quantize_multiplier(_ratio(first, second, out))
        if first.dtype is DType.INT16:
            return {"multiplier": _reduced(multiplier), "shift": shift}
        return {
            "first_offset": -first.zero_point,
            "second_offset": -second.zero_point,
            "output_offset": out.zero_point,
            "multiplier": multiplier,
            "shift": shift,
        }


def _ratio(x: Tensor, y: Tensor, out: Tensor) -> float:
    """Return the product of scales over the output's, in double as TFLM has it."""
    return x.scale * y.scale / out.scale


def _reduced(multiplier: int) -> int:
    """Return the 15 bits of a Q0.31 multiplier that 64-bit accumulators are scaled by."""
    return min((multiplier + 2**15) >> 16, 2**15 - 1)


def _padded(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape with 5 axes."""
    return (1,) * (2 + BATCH_AXES - len(shape)) + shape


def _batch_strides(tensor: Tensor) -> list[int]:
    """Return how far apart the matrices along each batch axis are; 0 where they are repeated."""
    shape = _padded(tensor.shape)
    return [0 if shape[axis] == 1 else prod(shape[axis + 1 :]) for axis in range(BATCH_AXES)]
