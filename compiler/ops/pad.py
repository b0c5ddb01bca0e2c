"""PAD: a frame of zeros (of the zero point) around up to 4 dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator, wanted, wanted_constant, wanted_quant


@dataclass(frozen=True)
class Pad(Operator):
    """Shapes: input ``[d0..d3]``, paddings ``[rank, 2]`` (before, after), constant."""

    tflite = "PAD"
    kernels = {DType.INT8: ("pad_s8",)}

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, rank and that the output has the padded shape."""
        if len(inputs) != 2:
            yield f"has {len(inputs)} inputs, expected 2"
            return
        x, paddings = inputs
        yield from wanted(x, "input", DType.INT8)
        yield from wanted_quant(x, "input")
        yield from wanted_quant(outputs[0], "output")
        yield from wanted(paddings, "paddings", DType.INT32, DType.INT64)
        yield from wanted_constant(paddings, "paddings")
        if x is None or paddings is None or paddings.data is None:
            return
        if x.quant != outputs[0].quant:
            yield "input and output are quantized differently"
        if len(x.shape) > 4 or paddings.shape != (len(x.shape), 2):
            yield f"paddings {list(paddings.shape)} do not go with {list(x.shape)} (rank <= 4)"
        elif (paddings.data < 0).any():
            yield "negative paddings have no kernel"
        elif outputs[0].shape != tuple(np.add(x.shape, paddings.data.sum(axis=1)).tolist()):
            yield f"output {list(outputs[0].shape)} is not the padded input"

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Pad with the zero point."""
        paddings = inputs[1]
        assert values[0] is not None and paddings is not None and paddings.data is not None
        return (np.pad(values[0], paddings.data, constant_values=outputs[0].zero_point),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the int8 kernel with 4 dimensions."""
        x, paddings = inputs
        assert x is not None and paddings is not None and paddings.data is not None
        missing = 4 - len(x.shape)
        sizes = (1,) * missing + x.shape
        before = [0] * missing + [int(low) for low, _ in paddings.data]
        after = [0] * missing + [int(high) for _, high in paddings.data]
        params = {"value": outputs[0].zero_point}
        for axis in range(4):
            params |= {
                f"input_d{axis}": sizes[axis],
                f"before_d{axis}": before[axis],
                f"after_d{axis}": after[axis],
            }
        return (KernelCall("pad_s8", params, (x,), outputs),)
