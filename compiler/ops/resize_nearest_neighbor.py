"""RESIZE_NEAREST_NEIGHBOR: an image in another size, each pixel one of the input's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator, Options, wanted
from tinysim.compiler.ops._resize import size_params, wanted_resize


@dataclass(frozen=True)
class ResizeNearestNeighbor(Operator):
    """Inputs: image ``[N, H, W, C]``, size of the output (height, width; constant)."""

    tflite = "RESIZE_NEAREST_NEIGHBOR"
    kernels = {
        DType.INT8: ("resize_nearest_8",),
        DType.INT16: ("resize_nearest_16",),
        DType.FLOAT32: ("resize_nearest_32",),
        DType.INT32: ("resize_nearest_32",),
    }

    align_corners: bool = False
    half_pixel_centers: bool = False

    @classmethod
    def from_tflite(cls, options: Options) -> ResizeNearestNeighbor:
        """Take how pixels of the output lie over the input's."""
        return cls(bool(options["AlignCorners"]), bool(options["HalfPixelCenters"]))

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and shapes."""
        yield from wanted_resize(inputs, outputs)
        yield from wanted(inputs[0], "input", *self.kernels)

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def _nearest(self, size: int, count: int) -> Array:
        """Return which of ``size`` places each of ``count`` takes, in single precision."""
        is_aligned = self.align_corners and count > 1
        taken, given = (size - 1, count - 1) if is_aligned else (size, count)
        scale = np.float32(taken) / np.float32(given)
        offset = np.float32(0.5 if self.half_pixel_centers else 0.0)
        real = (np.arange(count, dtype=np.float32) + offset) * scale
        # Halves away from zero, as C's round; nothing here is negative.
        places = np.floor(real.astype(np.float64) + (0.5 if self.align_corners else 0.0))
        return np.clip(places, 0, size - 1).astype(np.int32)

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Index rows, then columns."""
        x, out = values[0], outputs[0]
        assert x is not None
        rows = self._nearest(x.shape[1], out.shape[1])
        return (x[:, rows][:, :, self._nearest(x.shape[2], out.shape[2])],)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Give the kernel the places in tables."""
        x, out = inputs[0], outputs[0]
        assert x is not None
        tables = tuple(self._nearest(x.shape[axis], out.shape[axis]) for axis in (1, 2))
        (kernel,) = self.kernels[x.dtype]
        reads = (x,) if x.data is None else ()
        constants = () if x.data is None else (x.data,)
        return (KernelCall(kernel, size_params(x, out), reads, outputs, constants + tables),)
