"""EMBEDDING_LOOKUP: rows of a table, by their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import (
    Inputs,
    KernelCall,
    Operator,
    wanted,
    wanted_constant,
    wanted_quant,
    wanted_shape,
)
from tinysim.compiler.ops._movement import wanted_inputs
from tinysim.compiler.ops.gather import Gather

_ROWS = Gather(axis=0)


@dataclass(frozen=True)
class EmbeddingLookup(Operator):
    """Shapes: rows' numbers ``[N]``, table ``[R, C..]``, output ``[N, C..]``.

    A table of int8 without a zero point may be dequantized on the way. A computed number outside
    takes the nearest row, where TFLM stops.
    """

    tflite = "EMBEDDING_LOOKUP"
    kernels = {
        DType.INT32: (
            *(f"gather_{bits}{end}" for bits in (8, 16, 32) for end in ("", "_table")),
            "embedding_lookup_s8_f32",
        )
    }

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shapes and constant numbers."""
        if problems := list(wanted_inputs(inputs, 2)):
            yield from problems
            return
        numbers, table = inputs
        if not _is_hybrid(table, outputs[0]):
            yield from _ROWS.problems((table, numbers), outputs)
            return
        assert table is not None
        yield from wanted(numbers, "numbers of rows", DType.INT32)
        yield from wanted_constant(table, "table")
        yield from wanted_quant(table, "table")
        if table.quant is not None and any(table.quant.zero_point):
            yield "table has a zero point, the kernel takes a symmetric one"
        if numbers is not None:
            shape = (*numbers.shape, *table.shape[1:])
            yield from wanted_shape(outputs[0], "output", shape)
            if numbers.data is not None:
                yield "numbers of rows and table are both constants, that has no kernel"

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Pick rows."""
        numbers, table = values
        assert numbers is not None and table is not None
        rows = table[np.clip(numbers, 0, len(table) - 1)]
        if _is_hybrid(inputs[1], outputs[0]):
            assert inputs[1] is not None
            rows = rows.astype(np.float32) * np.float32(inputs[1].scale)
        return (rows.reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call GATHER's kernels, or the one that dequantizes."""
        numbers, table = inputs
        assert numbers is not None and table is not None
        if not _is_hybrid(table, outputs[0]):
            return _ROWS.lower((table, numbers), outputs)
        assert table.data is not None
        params: dict[str, int | float] = {
            "picked": numbers.elements,
            "rows": table.shape[0],
            "inner": prod(table.shape[1:]),
            "scale": table.scale,
        }
        kernel = "embedding_lookup_s8_f32"
        return (KernelCall(kernel, params, (numbers,), outputs, (table.data,)),)


def _is_hybrid(table: Tensor | None, out: Tensor) -> bool:
    """Say whether rows are dequantized."""
    is_int8 = table is not None and table.dtype is DType.INT8 and bool(table.shape)
    return is_int8 and out.dtype is DType.FLOAT32
