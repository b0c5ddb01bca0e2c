"""FULLY_CONNECTED: a matrix times a vector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator, Options
from tinysim.compiler.ops._weights import (
    channel_table,
    per_channel_multipliers,
    scale_and_clamp,
    weight_problems,
)
from tinysim.compiler.quantize import activation_range


@dataclass(frozen=True)
class FullyConnected(Operator):
    """``out[n, o] = clamp(requantize(bias[o] + sum_i filter[o, i] * in[n, i]))``.

    Shapes: input ``[..., I]`` or anything of ``N * I`` elements, filter ``[O, I]``, bias ``[O]``,
    output of ``N * O`` elements.
    """

    tflite = "FULLY_CONNECTED"
    kernels = {DType.INT8: ("fully_connected_s8",)}

    activation: str
    weights_format: int

    @classmethod
    def from_tflite(cls, options: Options) -> FullyConnected:
        """Take the fused activation and the order of the weights."""
        return cls(options["FusedActivationFunction"], options["WeightsFormat"])

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and that the sizes go together."""
        x, filter_, bias = (*inputs, None)[:3]
        yield from weight_problems(x, filter_, bias, outputs[0], channel_axis=0)
        if self.weights_format != 0:
            yield "shuffled weights have no kernel"
        if x is None or filter_ is None:
            return
        if len(filter_.shape) != 2 or x.elements % max(1, filter_.shape[1]):
            yield f"filter {list(filter_.shape)} does not go with input {list(x.shape)}"
        elif outputs[0].elements != x.elements // filter_.shape[1] * filter_.shape[0]:
            yield f"output {list(outputs[0].shape)} does not go with filter {list(filter_.shape)}"

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """``N * O * I``."""
        filter_ = inputs[1]
        assert filter_ is not None
        return outputs[0].elements * filter_.shape[1]

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Multiply in double, which is exact for int8 products."""
        x, filter_ = inputs[0], inputs[1]
        assert x is not None and filter_ is not None and filter_.data is not None
        (call,) = self.lower(inputs, outputs)
        assert values[0] is not None
        centred = values[0].reshape(-1, filter_.shape[1]).astype(np.float64) - x.zero_point
        acc = centred @ filter_.data.T.astype(np.float64)
        low, high = call.params["activation_min"], call.params["activation_max"]
        y = scale_and_clamp(acc, call.constants[1], outputs[0], int(low), int(high))
        return (y.reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the int8 kernel with the sizes as literals."""
        x, filter_, bias = (*inputs, None)[:3]
        out = outputs[0]
        assert x is not None and filter_ is not None and filter_.data is not None
        low, high = activation_range(self.activation, out.scale, out.zero_point)
        params = {
            "batches": x.elements // filter_.shape[1],
            "in_features": filter_.shape[1],
            "out_features": filter_.shape[0],
            "input_offset": -x.zero_point,
            "output_offset": out.zero_point,
            "activation_min": low,
            "activation_max": high,
        }
        multipliers = per_channel_multipliers(x, filter_, out, filter_.shape[0])
        channels = channel_table(bias, multipliers)
        return (KernelCall("fully_connected_s8", params, (x,), outputs, (filter_.data, channels)),)
