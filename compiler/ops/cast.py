"""CAST: another type for the same numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator, Overlap, wanted, wanted_shape
from tinysim.compiler.ops._overlap import element_overlaps

#: The types, numbered as in kernels/cast.h.
TYPES = (
    DType.INT8,
    DType.INT16,
    DType.INT32,
    DType.INT64,
    DType.UINT32,
    DType.FLOAT32,
    DType.BOOL,
)


@dataclass(frozen=True)
class Cast(Operator):
    """``out = (type)in`` as in C: integers wrap, floats are cut towards zero.

    What C leaves undefined is defined here: floats that do not fit become the nearest number that
    does, and what is not a number becomes 0. Quantization is not looked at.
    """

    tflite = "CAST"
    is_elementwise = True
    kernels = dict.fromkeys(TYPES, ("cast",))

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and shapes."""
        if len(inputs) != 1 or len(outputs) != 1:
            yield f"has {len(inputs)} inputs and {len(outputs)} outputs, expected 1 and 1"
            return
        yield from wanted(inputs[0], "input", *TYPES)
        yield from wanted(outputs[0], "output", *TYPES)
        yield from wanted_shape(inputs[0], "input", outputs[0].shape)

    def overlaps(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Mapping[int, Overlap]:
        """Let the output lie over the input."""
        return element_overlaps(inputs, outputs[0])

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Convert in numpy, floats clamped first."""
        x, out = values[0], outputs[0].dtype
        assert x is not None
        if x.dtype == np.float32 and out not in (DType.FLOAT32, DType.BOOL):
            return (_saturated(x, np.iinfo(out.value)),)
        return (x.astype(out.value),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel."""
        x, out = inputs[0], outputs[0]
        assert x is not None
        params = {
            "elements": out.elements,
            "from": TYPES.index(x.dtype),
            "to": TYPES.index(out.dtype),
        }
        computed = (x,) if x.data is None else ()
        constants: tuple[Array, ...] = () if x.data is None else (x.data,)
        return (KernelCall("cast", params, computed, outputs, constants),)


def _saturated(x: Array, limits: np.iinfo) -> Array:
    """Cut floats towards zero, into the limits of an integer type."""
    whole = np.trunc(np.nan_to_num(x.astype(np.float64), nan=0.0))
    inside = np.where((whole >= limits.min) & (whole < float(limits.max)), whole, 0).astype(
        np.int64
    )
    above = np.where(whole >= float(limits.max), limits.max, inside)
    return np.where(whole < limits.min, limits.min, above).astype(limits.dtype)
