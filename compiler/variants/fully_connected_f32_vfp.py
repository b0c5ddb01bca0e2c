"""FULLY_CONNECTED on float32 with an FPU: eight outputs at a time stay in registers."""

from __future__ import annotations

from collections.abc import Iterator

from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._vfp import (
    LANES,
    ROW_OUTPUT,
    ROW_PRODUCT,
    TURN,
    has_fpu,
    is_for,
    packed_bias,
    packed_filters,
)
from tinysim.firmware import Target


class FullyConnectedF32Vfp(Variant):
    """``ts_fully_connected_f32_vfp``."""

    replaces = "fully_connected_f32"

    def runs_on(self, target: Target) -> bool:
        """Whether there is an FPU."""
        return has_fpu(target)

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield the one that there is, unless most of a turn would be computed for nothing."""
        count, channels = int(call.params["in_features"]), int(call.params["out_features"])
        if channels < LANES or not is_for(call):
            return
        rows = call.constants[0].reshape(channels, count)
        name = "fully_connected_f32_vfp"
        tuned = KernelCall(
            name,
            call.params,
            call.inputs,
            call.outputs,
            (packed_filters(rows), packed_bias(call.constants[1])),
            input_offsets=call.input_offsets,
            output_offsets=call.output_offsets,
        )
        outputs = int(call.params["batches"]) * -(-channels // TURN) * TURN
        yield Candidate(name, tuned, outputs * (count * ROW_PRODUCT + ROW_OUTPUT))
