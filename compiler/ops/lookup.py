"""LOOKUP: any function from int8 to int8, by a table.

TFLite computes such functions by formulas of their own; ONNX Runtime's tables are copied here.
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
    wanted_constant,
    wanted_shape,
)


@dataclass(frozen=True)
class Lookup(Operator):
    """``out = table[in + 128]``; the table ``[256]`` is a constant int8 tensor."""

    tflite = "LOOKUP"
    kernels = {DType.INT8: ("lookup_s8",)}

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and shapes."""
        if len(inputs) != 2 or len(outputs) != 1:
            yield f"has {len(inputs)} inputs and {len(outputs)} outputs, expected 2 and 1"
            return
        yield from wanted(inputs[0], "input", DType.INT8)
        yield from wanted(inputs[1], "table", DType.INT8)
        yield from wanted_constant(inputs[1], "table")
        yield from wanted_shape(inputs[1], "table", (256,))
        yield from wanted(outputs[0], "output", DType.INT8)
        yield from wanted_shape(inputs[0], "input", outputs[0].shape)
        if inputs[0] is not None and inputs[0].data is not None:
            yield "input is a constant, the kernel looks up what is computed"

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Look up."""
        x, table = values
        assert x is not None and table is not None
        return (table[x.astype(np.int64) + 128],)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the int8 kernel."""
        x, table = inputs
        assert x is not None and table is not None and table.data is not None
        params = {"elements": x.elements}
        return (KernelCall("lookup_s8", params, (x,), outputs, (table.data,)),)
