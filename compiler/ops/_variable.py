"""What reading and assigning a variable share: one copy of bytes."""

from __future__ import annotations

from collections.abc import Iterator

from tinysim.compiler.graph import Tensor
from tinysim.compiler.ops import Inputs, KernelCall


def copy_problems(inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
    """Yield what keeps the input from being copied to the output as it is."""
    if len(inputs) != 1 or inputs[0] is None:
        yield "needs a variable and its value"
    elif inputs[0].dtype is not outputs[0].dtype or inputs[0].elements != outputs[0].elements:
        yield "value and variable differ in type or number of elements"


def copy_call(inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
    """Call the copy; what is copied may be a constant."""
    (value,) = inputs
    assert value is not None
    params = {"size_bytes": value.size_bytes}
    if value.data is not None:
        return (KernelCall("assign_variable", params, (), outputs, (value.data,)),)
    return (KernelCall("assign_variable", params, (value,), outputs),)
