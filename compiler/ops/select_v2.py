"""SELECT_V2: one of two tensors, element by element."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator, wanted
from tinysim.compiler.ops._elementwise import QUANTIZED, Params, broadcast_problems, loops

TYPES = (DType.INT8, DType.INT16, DType.INT32, DType.FLOAT32)


@dataclass(frozen=True)
class SelectV2(Operator):
    """``out = a if condition else b``; the three broadcast, of one quantization."""

    tflite = "SELECT_V2"
    kernels = {DType.BOOL: ("select_8", "select_16", "select_32")}

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, quantization and shapes."""
        if len(inputs) != 3 or len(outputs) != 1:
            yield f"has {len(inputs)} inputs and {len(outputs)} outputs, expected 3 and 1"
            return
        condition, a, b = inputs
        yield from wanted(condition, "condition", DType.BOOL)
        yield from wanted(a, "first choice", *TYPES)
        if condition is None or a is None or b is None:
            yield "an input is missing"
            return
        yield from wanted(b, "second choice", a.dtype)
        yield from wanted(outputs[0], "output", a.dtype)
        yield from broadcast_problems((condition, a, b), outputs[0])
        if condition.data is not None:
            yield "condition is a constant, the kernel takes a computed one"
        quants = {(t.quant.scale, t.quant.zero_point) for t in (a, b, *outputs) if t.quant}
        if a.dtype in QUANTIZED and len(quants) > 1:
            yield "inputs and output have different quantization, the kernels copy as it stands"

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Choose in numpy."""
        condition, a, b = values
        assert condition is not None and a is not None and b is not None
        return (np.where(condition, a, b).reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the elements' size; what is computed comes first."""
        condition, a, b = inputs
        assert condition is not None and a is not None and b is not None
        is_reversed = a.data is not None and b.data is None
        first, second = (b, a) if is_reversed else (a, b)
        params: Params = loops(condition.shape, first.shape, second.shape)
        params["is_reversed"] = int(is_reversed)
        computed = tuple(t for t in (condition, first, second) if t.data is None)
        constants = tuple(t.data for t in (first, second) if t.data is not None)
        kernel = f"select_{8 * a.dtype.itemsize}"
        return (KernelCall(kernel, params, computed, outputs, constants),)
