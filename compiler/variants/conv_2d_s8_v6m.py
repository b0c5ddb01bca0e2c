"""CONV_2D on int8 for Armv6-M: four pixels at a time, two products of a multiplication."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tinysim.compiler.ops import KernelCall, Overlap
from tinysim.compiler.ops._overlap import window_overlap
from tinysim.compiler.ops._window import Pads, Window
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._matrix_v6m import is_packable, padded, runs_on_v6m, stream
from tinysim.compiler.variants._requantize_v6m import v6m_channels
from tinysim.compiler.variants.fully_connected_s8_v6m import by_rows
from tinysim.firmware import Target

#: Pixels that are gathered before they are written.
PIXELS = 4
#: Parameters that stay as they are, in the order of the kernel's table.
GEOMETRY = (
    *("batches", "input_h", "input_w", "input_c", "output_h", "output_w", "output_c"),
    *("filter_h", "filter_w", "stride_h", "stride_w", "dilation_h", "dilation_w"),
    *("pad_top", "pad_left"),
)


class Conv2DV6m(Variant):
    """Everything but groups, filters with a zero point and multipliers of 1 and more."""

    replaces = "conv_2d_s8"

    def runs_on(self, target: Target) -> bool:
        """Want an Armv6-M core: others have better."""
        return runs_on_v6m(target)

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield one; if filters see the whole image, another one."""
        p = {key: int(value) for key, value in call.params.items()}
        if p["filter_c"] != p["input_c"]:
            return
        if all(p[f"filter_{a}"] == p[f"input_{a}"] for a in "hw") and _pads(p) == Pads(0, 0, 0, 0):
            length = p["input_h"] * p["input_w"] * p["input_c"]
            yield from by_rows(call, p["batches"], length, p["output_c"])
        channels = v6m_channels(call, call.constants[0].reshape(p["output_c"], -1))
        if channels is None or not is_packable(padded(channels.weights)):
            return
        words = stream(channels)
        length = padded(channels.weights).shape[1]
        columns_bytes = 2 * PIXELS * length
        pads = _pads(p)
        overlaps = _overlaps(call, p, pads)
        if _is_pointwise(p):
            # Every pixel sees the one at its place: all images are one long row.
            pixels = p["batches"] * p["input_h"] * p["input_w"]
            p |= {"batches": 1, "input_h": 1, "input_w": pixels, "output_h": 1, "output_w": pixels}
        padding_bytes = p["filter_w"] * p["input_c"] if pads != Pads(0, 0, 0, 0) else 0
        layer = {
            **{key: p[key] for key in GEOMETRY},
            "padding": -p["input_offset"],
            "offset": channels.offset,
            "limit": channels.limit,
            "activation_min": p["activation_min"],
            "activation_max": p["activation_max"],
            "columns_bytes": columns_bytes,
            "padding_bytes": padding_bytes,
            "stream_words": len(words),
            "pixels": p["output_h"] * p["output_w"],
            "tops": max(0, p["input_h"] - (p["filter_h"] - 1) * p["dilation_h"]),
            "lefts": max(0, p["input_w"] - p["filter_w"] + 1) if p["dilation_w"] == 1 else 0,
            "beside_bytes": p["stride_w"] * p["input_c"],
            "turn": p["output_w"] * p["stride_w"],
            "turn_bytes": (p["stride_h"] * p["input_w"] - p["output_w"] * p["stride_w"])
            * p["input_c"],
        }
        tuned = replace(
            call,
            kernel="conv_2d_s8_v6m",
            params={"is_backward": 0},
            constants=(np.array(list(layer.values()), np.int32), words),
            scratch_bytes=columns_bytes + padding_bytes,
            overlaps=overlaps,
        )
        yield Candidate("conv_2d_s8_v6m", tuned, _cycles(p, length))


def _is_pointwise(p: dict[str, int]) -> bool:
    """Whether every pixel of the output sees the pixel of the input at its place."""
    ones = ("filter_h", "filter_w", "stride_h", "stride_w")
    return all(p[key] == 1 for key in ones) and _pads(p) == Pads(0, 0, 0, 0)


def _pads(p: dict[str, int]) -> Pads:
    """Return the padding on all sides that some window reaches into."""
    extents = [
        (p[f"output_{a}"] - 1) * p[f"stride_{a}"] + (p[f"filter_{a}"] - 1) * p[f"dilation_{a}"] + 1
        for a in "hw"
    ]
    below, right = (
        max(0, extent - p[before] - p[f"input_{a}"])
        for extent, before, a in zip(extents, ("pad_top", "pad_left"), "hw", strict=True)
    )
    return Pads(p["pad_top"], p["pad_left"], below, right)


def _overlaps(call: KernelCall, p: dict[str, int], pads: Pads) -> dict[int, Overlap]:
    """Let the output lie over what no later four windows see."""
    window = Window(
        p["filter_h"],
        p["filter_w"],
        p["stride_h"],
        p["stride_w"],
        p["dilation_h"],
        p["dilation_w"],
        pads,
    )
    rule = window_overlap(window, call.inputs[0], call.outputs[0], gathered=PIXELS)
    return {} if rule is None else {0: rule}


def _cycles(p: dict[str, int], length: int) -> float:
    """Return the cycles on a Cortex-M0+: counted by hand in the kernel's loops."""
    tiles = p["batches"] * -(-p["output_h"] * p["output_w"] // PIXELS)
    gathered = 20 * length + 200 * p["filter_h"] + 300
    return tiles * (p["output_c"] * (length * 11.7 + 145) + gathered)
