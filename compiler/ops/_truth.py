"""What REDUCE_ALL and REDUCE_ANY share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall
from tinysim.compiler.ops._reduce import Reduction


@dataclass(frozen=True)
class Truth(Reduction):
    """``out = in`` of all, or of any, reduced elements."""

    kernels = {DType.BOOL: ("reduce_bool",)}
    #: What an element must be to settle the outcome.
    settling: ClassVar[bool]

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Look for an element that settles it."""
        is_settled = (self.rows(inputs, values) == self.settling).any(axis=0)
        return ((is_settled == self.settling).reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel."""
        x = inputs[0]
        assert x is not None
        params = {**self.merged(inputs), "settling": int(self.settling)}
        return (KernelCall("reduce_bool", params, (x,), outputs),)
