"""What the sparse variants share: weights in all encodings, and biases with the zero point."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.quantize import wrap_int32
from tinysim.compiler.sparse import ENCODINGS, Sparse, encode

#: Non-zeros from which on no encoding saves anything: a bit a weight says where they are.
MOST_NON_ZEROS = 7 / 8
#: Parameters of how sums become outputs, which stay as they are.
OUTPUT = ("output_offset", "rounding", "activation_min", "activation_max")


def encodings(call: KernelCall, weights: Array) -> Iterator[tuple[dict[str, int], Sparse, Array]]:
    """Yield parameters, arrays and requantization of each encoding of ``weights [O, K]``.

    Nothing where weights have a zero point of their own, or few of them are zero.
    """
    if call.params["filter_offset"] != 0 or np.count_nonzero(weights) > (
        MOST_NON_ZEROS * weights.size
    ):
        return
    channels = call.constants[1].copy()
    folded = int(call.params["input_offset"]) * weights.sum(axis=1, dtype=np.int64)
    channels["bias"] = wrap_int32(channels["bias"].astype(np.int64) + folded)
    for encoding in ENCODINGS:
        sparse = encode(weights, encoding)
        if sparse is not None:
            number, step = ENCODINGS.index(encoding), int(len(sparse.counts) > 1)
            yield {"encoding": number, "count_step": step}, sparse, channels
