"""ADD: the sum of two tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinysim.compiler.graph import DType, Tensor
from tinysim.compiler.ops._sum import Sum


@dataclass(frozen=True)
class Add(Sum):
    """``out = clamp(a + b)``."""

    tflite = "ADD"
    sign = 1

    def limits(self, a: Tensor, b: Tensor, out: Tensor) -> Iterator[str]:
        """Refuse what TFLM's int32 addition leaves out without a word."""
        yield from super().limits(a, b, out)
        if a.dtype is DType.INT32 and self.activation != "NONE":
            yield f"fused activation {self.activation} of an int32 sum has no kernel"
