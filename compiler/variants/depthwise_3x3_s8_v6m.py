"""DEPTHWISE_CONV_2D on int8 with 3 x 3 filters, for Armv6-M: channel by channel, from a ring."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall, Overlap
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._depthwise_v6m import Axis, axes, line_params, may_lie_in_place
from tinysim.compiler.variants._line_v6m import channel_lines, line_bytes
from tinysim.compiler.variants._matrix_v6m import runs_on_v6m
from tinysim.firmware import Target

#: Bytes of a channel: start, fraction, whole, nine weights, shift.
ROW_BYTES = 20


class Depthwise3x3(Variant):
    """``ts_depthwise_3x3_s8_v6m``: see its header."""

    replaces = "depthwise_conv_2d_s8"

    def runs_on(self, target: Target) -> bool:
        """Whether the core is an Armv6-M one."""
        return runs_on_v6m(target)

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Take 3 x 3 filters whose sums become outputs along single lines."""
        params = call.params
        shape = [params[key] for key in ("filter_h", "filter_w", "dilation_h", "dilation_w")]
        if shape != [3, 3, 1, 1] or params["filter_offset"] or not call.outputs[0].elements:
            return
        lines = channel_lines(call, may_drop=False)
        if lines is None:
            return
        weights = call.constants[0].reshape(3, 3, -1)
        packed = np.zeros((weights.shape[2], ROW_BYTES), np.int8)
        packed[:, :8] = line_bytes(lines, ())
        packed[:, 17] = lines.shift
        rows, columns = axes(call)
        ways = [(rows, columns, weights), (columns, rows, weights.swapaxes(0, 1))]
        ways = [way for way in ways if way[1].stride <= 2 and way[0].read and way[1].read]
        if ways:
            outer, inner, turned = min(ways, key=lambda way: _cycles(call, *way[:2]))
            packed[:, 8:17] = turned.reshape(9, -1).T
            tuned = _call(call, outer, inner, packed)
            yield Candidate("depthwise_3x3_s8_v6m", tuned, _cycles(call, outer, inner))


def _call(call: KernelCall, outer: Axis, inner: Axis, packed: Array) -> KernelCall:
    """Return the tuned call, with lines along ``inner``."""
    pairs = -(-inner.outputs // 2)
    words = max(
        2 * pairs * inner.stride + 3 - inner.stride, inner.pad + inner.read + inner.read % 2
    )
    params = {
        "batches": call.params["batches"],
        "channels": len(packed),
        **line_params(call, outer, inner),
        "ring_words": words,
        "padding": -call.params["input_offset"],
        "activation_min": call.params["activation_min"],
        "activation_max": call.params["activation_max"],
    }
    return KernelCall(
        "depthwise_3x3_s8_v6m",
        params,
        call.inputs,
        call.outputs,
        (packed.view("<i4"),),
        scratch_bytes=12 * words,
        input_offsets=call.input_offsets,
        output_offsets=call.output_offsets,
        overlaps={0: Overlap(in_place=True)} if _is_in_place(call, outer, inner) else {},
    )


def _is_in_place(call: KernelCall, outer: Axis, inner: Axis) -> bool:
    """Tell whether no output is written over an input of its channel that is still to be read."""
    if not may_lie_in_place(call, outer, inner):
        return False
    is_turned = inner.input_step > outer.input_step
    if is_turned and not (outer.keeps_size and inner.keeps_size):
        return False
    line = np.arange(outer.outputs)
    been_read = np.minimum(line * outer.stride - outer.pad + 3, outer.inputs)
    is_rest_read = been_read >= outer.read
    is_free = (line + 1) * inner.outputs <= been_read * inner.inputs
    return bool((is_free | is_rest_read).all())


def _cycles(call: KernelCall, outer: Axis, inner: Axis) -> float:
    """Count cycles by the core's table: 113 or 118 for two outputs, 4.5 to read a pixel."""
    pairs = -(-inner.outputs // 2)
    line = 65 + pairs * (113 if inner.stride == 1 else 118)
    lines_read = 3 + (outer.outputs - 1) * outer.stride
    read = 55 + 4.5 * inner.read
    channels = call.outputs[0].shape[3] * int(call.params["batches"])
    return channels * (200 + outer.outputs * line + lines_read * read)
