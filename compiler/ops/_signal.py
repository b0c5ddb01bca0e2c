"""What the operators of TFLM's audio front end share: options, checks of counts, bit lengths."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops import Inputs, Operator, Options


class SignalOperator(Operator, ABC):
    """A custom operator of integers, without products to count."""

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none: the field counts those of networks."""
        return 0


def option(options: Options, name: str) -> int:
    """Return a number from a custom operator's options; what is missing or no integer is -1."""
    value = options.get(name, -1)
    return int(value) if isinstance(value, int) else -1


def wanted_count(
    inputs: Inputs, outputs: tuple[Tensor, ...], taken: int, given: int
) -> Iterator[str]:
    """Yield a problem unless there are so many inputs and outputs, none of them absent."""
    if (len(inputs), len(outputs)) != (taken, given) or None in inputs:
        yield f"has {len(inputs)} inputs and {len(outputs)} outputs, expected {taken} and {given}"


def wanted_range(value: int, name: str, high: int) -> Iterator[str]:
    """Yield a problem unless an option is there and in ``0..high``."""
    if not 0 <= value <= high:
        yield f"{name} is {value}, expected 0 to {high}"


def ints(array: Array) -> list[int]:
    """Return the elements as Python's integers, which do not overflow."""
    return [int(value) for value in array.ravel().tolist()]


def computed(tensor: Tensor) -> Iterator[str]:
    """Yield a problem if a kernel's input is a constant."""
    if tensor.data is not None:
        yield "an input is a constant, the kernel takes what is computed"
