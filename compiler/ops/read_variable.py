"""READ_VARIABLE: what the model kept since the last inference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator
from tinysim.compiler.ops._variable import copy_call, copy_problems


@dataclass(frozen=True)
class ReadVariable(Operator):
    """``out = state``: a view; the input is the storage of the variable.

    The reader makes it a ``CopiedVariable`` where the variable changes before ``out`` is used up.
    """

    tflite = "READ_VARIABLE"
    kernels = dict.fromkeys(DType, ("view",))
    is_view = True

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check that value and variable are alike."""
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
        """Copy bytes; a view never comes here: a pass has removed the node."""
        return copy_call(inputs, outputs)


@dataclass(frozen=True)
class CopiedVariable(ReadVariable):
    """``out = state`` as it is now, kept while the variable changes."""

    is_view = False
