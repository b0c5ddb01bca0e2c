"""FULLY_CONNECTED on float32 without the zeros of its weights, for any core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, SparseCode, Variant
from tinysim.compiler.variants._sparse import LIMITS, Cycles, encoded
from tinysim.compiler.variants._vfp import has_fpu
from tinysim.firmware import Target

#: With readers of two encodings; by the linker's map, of M0+ and M4.
CODE = SparseCode(layer_bytes=250, shared_bytes=250)
WITHOUT_FPU = SparseCode(layer_bytes=250, shared_bytes=450)
#: A Cortex-M4F and an M0+, fitted to layers of 640 to 38,400 weights with 7 and 40 % of non-zeros,
#: which they meet within 2 %.
M4F = Cycles(
    {"crs16": (13.0, 0.0), "crs8": (16.0, 0.0), "runs": (14.7, 0.35), "bitmap": (15.6, 1.1)},
    output=52.0,
)
M0PLUS = Cycles(
    {"crs16": (205.0, 0.0), "crs8": (207.0, 0.0), "runs": (207.6, 0.4), "bitmap": (211.0, 3.4)},
    output=253.0,
)


class FullyConnectedSparseF32(Variant):
    """Weights of which a thirty-second and more are zero."""

    replaces = "fully_connected_f32"

    def runs_on(self, target: Target) -> bool:
        """Portable C."""
        return True

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield one an encoding."""
        sizes = {key: call.params[key] for key in ("batches", "in_features", "out_features")}
        cycles, code = (M4F, CODE) if has_fpu(target) else (M0PLUS, WITHOUT_FPU)
        for coded, sparse in encoded(call.constants[0]):
            tuned = replace(
                call,
                kernel="fully_connected_sparse_f32",
                params={**sizes, **coded, **{key: call.params[key] for key in LIMITS}},
                constants=(sparse.codes, sparse.values, sparse.counts, call.constants[1]),
            )
            name = f"fully_connected_sparse_f32_{sparse.encoding}"
            batches = int(sizes["batches"])
            yield Candidate(name, tuned, batches * cycles.of_rows(sparse), sparse=code)
