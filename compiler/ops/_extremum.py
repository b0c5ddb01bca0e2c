"""MINIMUM and MAXIMUM: elements are compared as they are, of one quantization."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinysim.compiler.graph import DType, Tensor
from tinysim.compiler.ops._elementwise import QUANTIZED, Binary, Params


@dataclass(frozen=True)
class Extremum(Binary):
    """``out = a if a is beyond b else b``."""

    def limits(self, a: Tensor, b: Tensor, out: Tensor) -> Iterator[str]:
        """Check that quantized values mean the same in all three tensors."""
        quants = {(t.quant.scale, t.quant.zero_point) for t in (a, b, out) if t.quant}
        if a.dtype in QUANTIZED and len(quants) > 1:
            yield "inputs and output have different quantization, the kernels compare as it stands"

    def arithmetic(self, first: Tensor, second: Tensor, out: Tensor, is_reversed: bool) -> Params:
        """Tell the order of floats: it decides what a NaN gives."""
        return {"is_reversed": int(is_reversed)} if out.dtype is DType.FLOAT32 else {}
