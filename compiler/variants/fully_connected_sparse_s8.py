"""FULLY_CONNECTED on int8 without the zeros of its weights, for any core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, SparseCode, Variant
from tinysim.compiler.variants._sparse import OUTPUT, encodings
from tinysim.firmware import Target

#: With readers of two encodings; by the linker's map, of M0+ and M4.
CODE = SparseCode(layer_bytes=250, shared_bytes=250)


class FullyConnectedSparse(Variant):
    """Weights of which an eighth and more are zero: less flash, whatever the cycles are."""

    replaces = "fully_connected_s8"

    def runs_on(self, target: Target) -> bool:
        """Portable C."""
        return True

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield one an encoding."""
        sizes = {key: call.params[key] for key in ("batches", "in_features", "out_features")}
        for coded, sparse, channels in encodings(call, call.constants[0]):
            tuned = replace(
                call,
                kernel="fully_connected_sparse_s8",
                params={**sizes, **coded, **{key: call.params[key] for key in OUTPUT}},
                constants=(sparse.codes, sparse.values, sparse.counts, channels),
            )
            name = f"fully_connected_sparse_s8_{sparse.encoding}"
            yield Candidate(name, tuned, None, sparse=CODE)
