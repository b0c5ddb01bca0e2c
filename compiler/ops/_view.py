"""What operators share that rename memory: same bytes, another shape; a pass takes them out."""

from __future__ import annotations

from collections.abc import Iterator

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator
from tinysim.compiler.ops._movement import QUANTIZED


class View(Operator):
    """Base of the operators; consumers read the input under the output's shape."""

    kernels = dict.fromkeys(DType, ("view",))
    is_view = True

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check that no element appears or goes, and that all keep their meaning."""
        x, out = inputs[0], outputs[0]
        if x is None or x.elements != out.elements or x.dtype != out.dtype:
            yield "input and output differ in type or number of elements"
        elif x.dtype in QUANTIZED and x.quant != out.quant:
            yield "input and output are quantized differently"

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
