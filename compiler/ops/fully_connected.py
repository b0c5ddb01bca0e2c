"""FULLY_CONNECTED: a matrix times a vector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator, Options
from tinysim.compiler.ops._weights import (
    centred,
    finish,
    matrix_sums,
    output_params,
    packed_constants,
    weight_problems,
)


@dataclass(frozen=True)
class FullyConnected(Operator):
    """``out[n, o] = clamp(requantize(bias[o] + sum_i filter[o, i] * in[n, i]))``.

    Shapes: input ``[..., I]`` or anything of ``N * I`` elements, filter ``[O, I]``, bias ``[O]``,
    output of ``N * O`` elements.
    """

    tflite = "FULLY_CONNECTED"
    kernels = {
        DType.INT8: ("fully_connected_s8",),
        DType.INT16: ("fully_connected_s16",),
        DType.FLOAT32: ("fully_connected_f32",),
    }

    activation: str
    weights_format: int = 0
    rounding: str = "double"

    @classmethod
    def from_tflite(cls, options: Options) -> FullyConnected:
        """Take the fused activation and the order of the weights."""
        return cls(options["FusedActivationFunction"], options["WeightsFormat"])

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and that the sizes go together."""
        x, filter_, bias = (*inputs, None, None, None)[:3]
        yield from weight_problems(
            x, filter_, bias, outputs[0], channel_axis=0, rounding=self.rounding
        )
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
        """Multiply the rows of the input by the filter."""
        x, filter_ = inputs[0], inputs[1]
        assert x is not None and filter_ is not None and filter_.data is not None
        (call,) = self.lower(inputs, outputs)
        assert values[0] is not None
        rows = centred(values[0], x).reshape(-1, filter_.shape[1])
        y = finish(matrix_sums(rows, centred(filter_.data, filter_)), call)
        return (y.reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the type with the sizes as literals."""
        x, filter_, bias = (*inputs, None)[:3]
        out = outputs[0]
        assert x is not None and filter_ is not None
        params = {
            "batches": x.elements // filter_.shape[1],
            "in_features": filter_.shape[1],
            "out_features": filter_.shape[0],
            **output_params(x, filter_, bias, out, self.activation, self.rounding),
        }
        constants = packed_constants(x, filter_, bias, out, filter_.shape[0], self.rounding)
        return (KernelCall(self.kernels[x.dtype][0], params, (x,), outputs, constants),)
