"""FULLY_CONNECTED on int8 without the zeros of its weights, for any core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, SparseCode, Variant
from tinysim.compiler.variants._sparse import OUTPUT, Cycles, encodings
from tinysim.firmware import Target

#: With readers of two encodings; by the linker's map, of M0+ and M4.
CODE = SparseCode(layer_bytes=250, shared_bytes=250)
#: A Cortex-M4 and an M0+, fitted to layers of 2,048 to 38,400 weights with 5 to 50 % of non-zeros,
#: which they meet within 12 %.
M4 = Cycles(
    {"crs16": (10.0, 0.0), "crs8": (11.0, 0.0), "runs": (12.9, 0.4), "bitmap": (11.3, 1.0)},
    output=80.0,
)
M0PLUS = Cycles(
    {"crs16": (14.0, 0.0), "crs8": (17.0, 0.0), "runs": (15.5, 0.4), "bitmap": (21.2, 2.7)},
    output=170.0,
)


class FullyConnectedSparse(Variant):
    """Weights of which an eighth and more are zero: less flash, and mostly more cycles."""

    replaces = "fully_connected_s8"

    def runs_on(self, target: Target) -> bool:
        """Portable C."""
        return True

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield one an encoding."""
        sizes = {key: call.params[key] for key in ("batches", "in_features", "out_features")}
        cycles = M4 if target.has_dsp else M0PLUS
        for coded, sparse, channels in encodings(call, call.constants[0]):
            tuned = replace(
                call,
                kernel="fully_connected_sparse_s8",
                params={**sizes, **coded, **{key: call.params[key] for key in OUTPUT}},
                constants=(sparse.codes, sparse.values, sparse.counts, channels),
            )
            name = f"fully_connected_sparse_s8_{sparse.encoding}"
            batches = int(sizes["batches"])
            yield Candidate(name, tuned, batches * cycles.of_rows(sparse), sparse=CODE)
