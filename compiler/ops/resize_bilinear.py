"""RESIZE_BILINEAR: an image in another size, each pixel a mean of the four around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator, Options, wanted
from tinysim.compiler.ops._resize import size_params, wanted_resize

#: One, in the fixed point of the integer kernel.
ONE = 1 << 10


@dataclass(frozen=True)
class ResizeBilinear(Operator):
    """``out = sum(in[y_i, x_j] * v_i * w_j)``, ``v_1 = 1 - v_0``; integers in units of 2**-10."""

    tflite = "RESIZE_BILINEAR"
    kernels = {DType.INT8: ("resize_bilinear_s8",), DType.FLOAT32: ("resize_bilinear_f32",)}

    align_corners: bool = False
    half_pixel_centers: bool = False

    @classmethod
    def from_tflite(cls, options: Options) -> ResizeBilinear:
        """Take how pixels of the output lie over the input's."""
        return cls(bool(options["AlignCorners"]), bool(options["HalfPixelCenters"]))

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shapes, and that weights in fixed point are near those meant."""
        problems = [*wanted_resize(inputs, outputs), *wanted(inputs[0], "input", *self.kernels)]
        if self.align_corners and self.half_pixel_centers:
            problems.append("aligned corners and half-pixel centers exclude each other")
        x = inputs[0]
        if not problems and x is not None and x.dtype is DType.INT8:
            for axis in (1, 2):
                size, count = x.shape[axis], outputs[0].shape[axis]
                weights = self._fixed(size, count)[2]
                # Beyond this a sum would not fit 32 bits, and TFLM would read outside the image.
                if size > 2**20 or weights.min() < -ONE or weights.max() > 2 * ONE:
                    problems.append(f"from {size} to {count} is too far for fixed point")
        yield from problems

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def _fixed(self, size: int, count: int) -> tuple[Array, Array, Array]:
        """Return lower and upper place and the upper's weight, in units of ``1 / ONE``."""
        is_aligned = self.align_corners and count > 1
        taken, given = (size - 1, count - 1) if is_aligned else (size, count)
        scale = (ONE * taken + given // 2) // given
        real = np.arange(count, dtype=np.int64) * scale
        if self.half_pixel_centers:
            real += scale // 2 - ONE // 2
        # Divisions of negative numbers go towards 0 in C; both ends are clipped to 0 anyway.
        lower = np.clip(real // ONE, 0, size - 1)
        upper = np.clip(-(-real // ONE), 0, size - 1)
        return lower.astype(np.int32), upper.astype(np.int32), (real - ONE * lower)

    def _real(self, size: int, count: int) -> tuple[Array, Array, Array]:
        """Return lower and upper place and the upper's weight, in single precision."""
        is_aligned = self.align_corners and count > 1
        taken, given = (size - 1, count - 1) if is_aligned else (size, count)
        scale = np.float32(taken) / np.float32(given)
        real = np.arange(count, dtype=np.float32)
        half = np.float32(0.5)
        real = (real + half) * scale - half if self.half_pixel_centers else real * scale
        lower = np.clip(np.floor(real), 0, size - 1).astype(np.int32)
        upper = np.clip(np.ceil(real), 0, size - 1).astype(np.int32)
        return lower, upper, (real - lower.astype(np.float32)).astype(np.float32)

    def _tables(self, x: Tensor, out: Tensor) -> list[Array]:
        """Return lower places, upper places and weights of rows, then of columns."""
        tables: list[Array] = []
        for axis in (1, 2):
            weigh = self._fixed if x.dtype is DType.INT8 else self._real
            lower, upper, weights = weigh(x.shape[axis], out.shape[axis])
            kind = np.int32 if x.dtype is DType.INT8 else np.float32
            tables += [lower, upper, weights.astype(kind)]
        return tables

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Add the four terms in TFLite's order."""
        x, image = inputs[0], values[0]
        assert x is not None and image is not None
        y0, y1, v, x0, x1, w = self._tables(x, outputs[0])
        one: Array = np.array(1, np.float32)
        if x.dtype is DType.INT8:
            image, v, w = image.astype(np.int64), v.astype(np.int64), w.astype(np.int64)
            one = np.array(ONE)
        v, w = v[:, None, None], w[:, None]
        total = image[:, y0][:, :, x0] * (one - v) * (one - w)
        total = total + image[:, y1][:, :, x0] * v * (one - w)
        total = total + image[:, y0][:, :, x1] * (one - v) * w
        total = total + image[:, y1][:, :, x1] * v * w
        if x.dtype is DType.FLOAT32:
            return (total.astype(np.float32),)
        # Half away from zero.
        rounded = np.sign(total) * ((np.abs(total) + (1 << 19)) >> 20)
        return (rounded.astype(np.int8),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Give the kernel places and weights in tables."""
        x, out = inputs[0], outputs[0]
        assert x is not None
        (kernel,) = self.kernels[x.dtype]
        reads = (x,) if x.data is None else ()
        constants = () if x.data is None else (x.data,)
        tables = tuple(self._tables(x, out))
        return (KernelCall(kernel, size_params(x, out), reads, outputs, constants + tables),)
