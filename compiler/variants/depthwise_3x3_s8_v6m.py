"""DEPTHWISE_CONV_2D on int8 with 3 x 3 filters, for Armv6-M: channel by channel, from a ring."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall, Overlap
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._line_v6m import channel_lines, runs_on_v6m
from tinysim.firmware import Target


@dataclass(frozen=True)
class _Lines:
    """One axis of the image: how many positions it has, and how the window moves along it."""

    inputs: int
    outputs: int
    stride: int
    pad: int
    input_step: int
    output_step: int

    @property
    def needed(self) -> int:
        """Positions from the first of the first window to the last of the last."""
        return (self.outputs - 1) * self.stride + 3

    @property
    def read(self) -> int:
        """Positions of the input that windows see."""
        return max(1, min(self.inputs, self.needed - self.pad))


class Depthwise3x3(Variant):
    """``ts_depthwise_3x3_s8_v6m``: see its header."""

    replaces = "depthwise_conv_2d_s8"

    def runs_on(self, target: Target) -> bool:
        """Whether the core is an Armv6-M one."""
        return runs_on_v6m(target)

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Take whole filters of 3 x 3 whose outputs one line by channel can give."""
        params = call.params
        shape = [params[key] for key in ("filter_h", "filter_w", "dilation_h", "dilation_w")]
        if shape != [3, 3, 1, 1] or params["filter_offset"] or not call.outputs[0].elements:
            return
        lines = channel_lines(call, may_drop=False)
        if lines is None:
            return
        weights = call.constants[0].reshape(3, 3, -1)
        packed = np.zeros((weights.shape[2], 20), np.int8)
        packed[:, :4] = lines.start.astype("<i4").view(np.int8).reshape(-1, 4)
        packed[:, 4:6] = lines.fraction.astype("<u2").view(np.int8).reshape(-1, 2)
        packed[:, 6:8] = lines.whole.astype("<u2").view(np.int8).reshape(-1, 2)
        packed[:, 17] = lines.shift
        rows, columns = _axes(call)
        found = []
        for outer, inner, block in (
            (rows, columns, weights),
            (columns, rows, weights.swapaxes(0, 1)),
        ):
            if inner.stride > 2:
                continue
            packed[:, 8:17] = block.reshape(9, -1).T
            is_turned = outer is columns
            found.append(
                (_cycles(call, outer, inner), is_turned, _call(call, outer, inner, packed))
            )
        if found:
            cycles, _, tuned = min(found, key=lambda one: one[:2])
            yield Candidate("depthwise_3x3_s8_v6m", tuned, cycles)


def _axes(call: KernelCall) -> tuple[_Lines, _Lines]:
    """Return rows and columns."""
    p = {key: int(value) for key, value in call.params.items()}
    c = p["input_c"]
    o = c * p["depth_multiplier"]
    rows = _Lines(
        p["input_h"],
        p["output_h"],
        p["stride_h"],
        p["pad_top"],
        p["input_w"] * c,
        p["output_w"] * o,
    )
    return rows, _Lines(p["input_w"], p["output_w"], p["stride_w"], p["pad_left"], c, o)


def _call(call: KernelCall, outer: _Lines, inner: _Lines, packed: Array) -> KernelCall:
    """Return the tuned call, with lines along ``inner``."""
    p = call.params
    pairs = -(-inner.outputs // 2)
    words = max(2 * pairs * inner.stride + 3 - inner.stride, inner.pad + inner.read)
    params = {
        "batches": p["batches"],
        "channels": len(packed),
        "multiplier": p["depth_multiplier"],
        "input_batch": call.inputs[0].elements // int(p["batches"]),
        "output_batch": call.outputs[0].elements // int(p["batches"]),
        "input_lines": outer.inputs,
        "input_line": outer.input_step,
        "input_pixel": inner.input_step,
        "input_pixels": inner.read,
        "output_lines": outer.outputs,
        "output_line": outer.output_step,
        "output_pixel": inner.output_step,
        "output_pixels": inner.outputs,
        "stride": outer.stride,
        "stride_pixels": inner.stride,
        "pad_lines": outer.pad,
        "pad_pixels": inner.pad,
        "ring_words": words,
        "padding": -p["input_offset"],
        "activation_min": p["activation_min"],
        "activation_max": p["activation_max"],
    }
    return KernelCall(
        "depthwise_3x3_s8_v6m",
        params,
        call.inputs,
        call.outputs,
        (packed.copy().view("<i4"),),
        scratch_bytes=12 * words,
        overlaps={0: Overlap(in_place=True)} if _is_in_place(call, outer, inner) else {},
    )


def _is_in_place(call: KernelCall, outer: _Lines, inner: _Lines) -> bool:
    """Tell whether no output is written over an input of its channel that is still to be read.

    Channels do not meet if pixels of input and output are equally large: then pixel k of the output
    lies over pixel k of the input.
    """
    p = call.params
    is_equal = (outer.inputs, inner.inputs) == (outer.outputs, inner.outputs)
    if p["depth_multiplier"] != 1 or (p["batches"] != 1 and not is_equal):
        return False
    is_turned = inner.input_step > outer.input_step
    if is_turned and not is_equal:
        return False
    line = np.arange(outer.outputs)
    been_read = np.minimum(line * outer.stride - outer.pad + 3, outer.inputs)
    is_all = been_read >= min(outer.inputs, outer.needed - outer.pad)
    return bool(((line + 1) * inner.outputs <= been_read * inner.inputs)[~is_all].all())


def _cycles(call: KernelCall, outer: _Lines, inner: _Lines) -> float:
    """Count cycles by the core's table: 113 or 118 for two outputs, 4.5 to read a pixel."""
    pairs = -(-inner.outputs // 2)
    line = 120 + pairs * (113 if inner.stride == 1 else 118)
    lines_read = 3 + (outer.outputs - 1) * outer.stride
    read = 50 + 4.5 * inner.read
    channels = call.outputs[0].shape[3] * int(call.params["batches"])
    return channels * (200 + outer.outputs * line + lines_read * read)
