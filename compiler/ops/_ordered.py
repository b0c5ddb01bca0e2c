"""What binary operators on floats share that are told the order of their operands, no more."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.compiler.graph import Tensor
from tinysim.compiler.ops._elementwise import Binary, Params


@dataclass(frozen=True)
class Ordered(Binary):
    """``out = f(a, b)``, which is not ``f(b, a)``."""

    def arithmetic(self, first: Tensor, second: Tensor, out: Tensor, is_reversed: bool) -> Params:
        """Return the order of the operands."""
        return {"is_reversed": int(is_reversed)}
