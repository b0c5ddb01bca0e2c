"""COPY: an output that is nothing but an input or a constant; passes make it, no file holds it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator
from tinysim.compiler.ops._variable import copy_call, copy_problems


@dataclass(frozen=True)
class Copy(Operator):
    """``out = in``, byte by byte."""

    tflite = "COPY"
    kernels = dict.fromkeys(DType, ("assign_variable",))

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check that both are alike."""
        yield from copy_problems(inputs, outputs)

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Hand the value on."""
        assert values[0] is not None
        return (values[0].reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Copy bytes."""
        return copy_call(inputs, outputs)
