"""RESHAPE: the same bytes under another shape; costs nothing on the device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator


@dataclass(frozen=True)
class Reshape(Operator):
    """A view: a pass lets the consumers read the input under the new shape."""

    tflite = "RESHAPE"
    kernels = dict.fromkeys(DType, ("view",))
    is_view = True

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check that no element appears or goes."""
        x, out = inputs[0], outputs[0]
        if x is None or x.elements != out.elements or x.dtype != out.dtype:
            yield "input and output differ in type or number of elements"

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Reshape."""
        assert values[0] is not None
        return (values[0].reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Never reached: a pass has removed the node."""
        raise AssertionError("a view has no kernel")
