"""DEPTHWISE_CONV_2D on int8 with any filter, for Armv6-M: channel by channel, four outputs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall, Overlap
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._depthwise_v6m import Axis, axes, line_params, may_lie_in_place
from tinysim.compiler.variants._line_v6m import channel_lines, line_bytes
from tinysim.compiler.variants._matrix_v6m import runs_on_v6m
from tinysim.compiler.variants._requantize_v6m import v6m_channels
from tinysim.firmware import Target

#: Scratch that is always worth it; and the part of input and output that more may be.
FREE_BYTES, SHARE = 1024, 1 / 4

#: Bytes of a channel's line.
LINE_BYTES = 10

#: What the portable kernel takes for an output and for a product, where it is fastest.
PORTABLE_OUTPUT_CYCLES, PORTABLE_PRODUCT_CYCLES = 110, 11


class Depthwise(Variant):
    """``ts_depthwise_s8_v6m``: see its header."""

    replaces = "depthwise_conv_2d_s8"

    def runs_on(self, target: Target) -> bool:
        """Whether the core is an Armv6-M one."""
        return runs_on_v6m(target)

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Take filters whose sums become outputs along lines."""
        if call.params["filter_offset"] or not call.outputs[0].elements:
            return
        constants = _constants(call)
        if constants is None:
            return
        rows, columns = axes(call)
        weights = call.constants[0].reshape(rows.filter, columns.filter, -1)
        ways = [(rows, columns, weights, _band(call, rows, columns))]
        if _band(call, columns, rows) == columns.outputs:  # bands are of rows
            ways.append((columns, rows, weights.swapaxes(0, 1), columns.outputs))
        outer, inner, turned, band = min(
            ways, key=lambda way: _cycles(call, way[0], way[1], way[3])
        )
        cycles = _cycles(call, outer, inner, band)
        if _words(outer, inner, band) < 2**16 and cycles < _portable_cycles(call, turned):
            packed = _packed(constants, turned)
            is_wide = constants.shape[1] != LINE_BYTES
            tuned = _call(call, outer, inner, band, packed, is_wide)
            yield Candidate("depthwise_s8_v6m", tuned, cycles)


def _portable_cycles(call: KernelCall, weights: Array) -> float:
    """Return what the portable kernel takes at least: it wins where a line has one output."""
    products = int(np.prod(weights.shape[:2]))
    each = PORTABLE_OUTPUT_CYCLES + PORTABLE_PRODUCT_CYCLES * products
    return each * call.outputs[0].elements


def _run(inner: Axis) -> int:
    """Return the words of a line with one remainder."""
    return -(-max(inner.needed, inner.pad + inner.read) // inner.stride)


def _words(outer: Axis, inner: Axis, band: int) -> int:
    """Return the words of scratch for a band of outputs."""
    lines = (band - 1) * outer.stride + outer.extent
    return lines * inner.stride * _run(inner) + 3 + 2 * outer.filter * inner.filter


def _band(call: KernelCall, outer: Axis, inner: Axis) -> int:
    """Return how many lines of outputs the scratch is large enough for, at least one."""
    held = call.inputs[0].elements + call.outputs[0].elements
    limit = max(FREE_BYTES, int(held * SHARE))
    found = [n for n in range(1, outer.outputs + 1) if 4 * _words(outer, inner, n) <= limit]
    return max(found, default=1)


def _constants(call: KernelCall) -> Array | None:
    """Return what stands before each channel's weights, as bytes, if the sums can be requantized.

    Lines of 10 bytes, where they reach; else the bias and the words of ``requantize_v6m.h``.
    """
    if (lines := channel_lines(call, may_drop=True)) is not None:
        return line_bytes(lines, ("shift", "drop"))
    weights = call.constants[0].reshape(-1, len(call.constants[1]))
    wide = v6m_channels(call, weights.T)
    if wide is None or wide.limit or (wide.weights != weights.T).any():
        return None
    words = np.stack([wide.bias.astype(np.int32), wide.low, wide.high], axis=1)
    return words.astype("<i4").view(np.int8)


def _packed(constants: Array, weights: Array) -> Array:
    """Return the channels' constants and weights, in whole words."""
    by_channel = weights.reshape(-1, weights.shape[2]).T
    used = constants.shape[1] + by_channel.shape[1]
    rest = np.zeros((len(by_channel), -used % 4), np.int8)
    return np.concatenate([constants, by_channel, rest], axis=1)


def _call(
    call: KernelCall, outer: Axis, inner: Axis, band: int, packed: Array, is_wide: bool
) -> KernelCall:
    """Return the tuned call, with lines along ``inner``."""
    run = _run(inner)
    down, along = np.ogrid[: outer.filter, : inner.filter]
    down, along = down * outer.dilation, along * inner.dilation
    offsets = down * run * inner.stride + along % inner.stride * run + along // inner.stride
    params = {
        "batches": call.params["batches"],
        "input_c": call.params["input_c"],
        **line_params(call, outer, inner),
        "extent": outer.extent,
        "band": band,
        "run_words": run,
        "taps": offsets.size,
        "row_bytes": packed.shape[1],
        "is_wide": int(is_wide),
        "padding": -call.params["input_offset"],
        "output_offset": call.params["output_offset"],
        "activation_min": call.params["activation_min"],
        "activation_max": call.params["activation_max"],
    }
    return KernelCall(
        "depthwise_s8_v6m",
        params,
        call.inputs,
        call.outputs,
        (packed.view("<i4"), offsets.ravel().astype(np.uint16)),
        scratch_bytes=4 * _words(outer, inner, band),
        input_offsets=call.input_offsets,
        output_offsets=call.output_offsets,
        overlaps=_overlaps(call, outer, inner, band),
    )


def _overlaps(call: KernelCall, outer: Axis, inner: Axis, band: int) -> dict[int, Overlap]:
    """Return how the output may lie over the input.

    A band's outputs may lie where no window of this band or of a later one begins.
    """
    if band == outer.outputs:
        is_in_place = may_lie_in_place(call, outer, inner)
        forward = None
    else:
        is_in_place = False
        begin = np.arange(0, outer.outputs, band)
        end = np.minimum(begin + band, outer.outputs)
        still_read = np.clip(begin * outer.stride - outer.pad, 0, outer.inputs - 1)
        forward = max(0, int((end * outer.output_step - still_read * outer.input_step).max()))
        if call.params["batches"] != 1 or any(call.input_offsets) or any(call.output_offsets):
            forward = None
    return {0: Overlap(forward=forward, in_place=is_in_place)}


def _cycles(call: KernelCall, outer: Axis, inner: Axis, band: int) -> float:
    """Count cycles by the core's table: 20 for a weight of four outputs, 28 for an output."""
    taps = outer.filter * inner.filter
    line = 50 + -(-inner.outputs // 4) * (35 + 20 * taps) + 28 * inner.outputs
    bands = -(-outer.outputs // band)
    lines_read = (outer.outputs - bands) * outer.stride + bands * outer.extent
    read = 40 * min(inner.stride, 4) + 5.5 * inner.read
    inputs = int(call.params["batches"] * call.params["input_c"])
    channels = inputs * int(call.params["depth_multiplier"])
    return inputs * lines_read * read + channels * (outer.outputs * line + bands * (120 + 9 * taps))
