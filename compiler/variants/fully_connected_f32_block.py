"""FULLY_CONNECTED on float32 without an FPU: a convolution of pixels in block floating point."""

from __future__ import annotations

from collections.abc import Iterator

from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants.conv_2d_f32_block import (
    GEOMETRY,
    LIMITS,
    block_convolution,
    is_without_fpu,
)
from tinysim.firmware import Target


class FullyConnectedF32Block(Variant):
    """Every row is a pixel with a channel a feature; finite weights."""

    replaces = "fully_connected_f32"

    def runs_on(self, target: Target) -> bool:
        """Whether there is no FPU."""
        return is_without_fpu(target)

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield the one that there is."""
        batches, count, outputs = (
            int(call.params[key]) for key in ("batches", "in_features", "out_features")
        )
        none = ("pad_top", "pad_left", "is_backward")
        sizes = {key: int(key not in none) for key in (*GEOMETRY, "dilation_w")}
        sizes |= {"input_w": batches, "output_w": batches, "input_c": count, "output_c": outputs}
        limits = {key: call.params[key] for key in LIMITS}
        rows = call.constants[0].reshape(outputs, count)
        yield from block_convolution(call, {**sizes, **limits}, rows)
