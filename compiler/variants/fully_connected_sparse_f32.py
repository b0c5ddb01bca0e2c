"""FULLY_CONNECTED on float32 without the zeros of its weights, for any core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, SparseCode, Variant
from tinysim.compiler.variants._sparse import LIMITS, encoded
from tinysim.firmware import Target

#: With readers of two encodings; by the linker's map, of M0+ and M4.
CODE = SparseCode(layer_bytes=250, shared_bytes=250)


class FullyConnectedSparseF32(Variant):
    """Weights of which a thirty-second and more are zero."""

    replaces = "fully_connected_f32"

    def runs_on(self, target: Target) -> bool:
        """Portable C."""
        return True

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield one an encoding."""
        sizes = {key: call.params[key] for key in ("batches", "in_features", "out_features")}
        for coded, sparse in encoded(call.constants[0]):
            tuned = replace(
                call,
                kernel="fully_connected_sparse_f32",
                params={**sizes, **coded, **{key: call.params[key] for key in LIMITS}},
                constants=(sparse.codes, sparse.values, sparse.counts, call.constants[1]),
            )
            name = f"fully_connected_sparse_f32_{sparse.encoding}"
            yield Candidate(name, tuned, None, sparse=CODE)
