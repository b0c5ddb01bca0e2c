"""CONV_2D on float32 without an FPU: in block floating point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.ops._overlap import window_overlap
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._block import LENGTH, blocks_of
from tinysim.compiler.variants._vfp import window_of
from tinysim.firmware import Target

NAME = "conv_2d_f32_block"
#: Pixels that are computed together where there are more weights than caches of flash hold.
PIXELS, MANY_BYTES = 8, 4096
#: Bytes of an input that waits to be multiplied.
ENTRY_BYTES = 8
#: Sizes of the kernel, beside those of its output.
GEOMETRY = (
    *("batches", "input_h", "input_w", "input_c", "output_h", "output_w"),
    *("filter_h", "filter_w", "stride_h", "stride_w", "dilation_h"),
    *("pad_top", "pad_left", "is_backward"),
)
LIMITS = ("activation_min", "activation_max")


class Conv2DF32Block(Variant):
    """No groups, no dilation along the rows; finite weights."""

    replaces = "conv_2d_f32"

    def runs_on(self, target: Target) -> bool:
        """Whether there is no FPU."""
        return is_without_fpu(target)

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield the one that there is."""
        p = call.params
        if p["filter_c"] != p["input_c"] or (p["dilation_w"] > 1 and p["filter_w"] > 1):
            return
        rows = call.constants[0].reshape(int(p["output_c"]), -1)
        yield from block_convolution(call, p, rows)


def is_without_fpu(target: Target) -> bool:
    """Whether floats are computed by the compiler's library."""
    return target.fpu == "none"


def block_convolution(
    call: KernelCall, params: Mapping[str, int | float], rows: Array
) -> Iterator[Candidate]:
    """Yield a call of the kernel with filters ``rows [O, H * W * C]``, if these are finite.

    ``params`` are those of a portable convolution that computes what ``call`` does.
    """
    bias = call.constants[1]
    if not (np.isfinite(rows).all() and np.isfinite(bias).all()):
        return
    outputs, count = rows.shape
    blocks = blocks_of(rows)
    all_pixels = call.outputs[0].elements // outputs
    pixels = min(all_pixels, PIXELS) if blocks.words.nbytes > MANY_BYTES else 1
    rule = None
    if call.kernel == Conv2DF32Block.replaces:
        rule = window_overlap(window_of(params), call.inputs[0], call.outputs[0], gathered=pixels)
    tuned = replace(
        call,
        kernel=NAME,
        params={
            **{key: params[key] for key in GEOMETRY},
            "is_scaled": int(blocks.is_scaled),
            "pixels": pixels,
            **{key: params[key] for key in (*LIMITS, "output_c")},
        },
        constants=(blocks.words, blocks.scales, bias),
        scratch_bytes=pixels * (4 * outputs + ENTRY_BYTES * min(count, LENGTH)),
        overlaps={} if rule is None else {0: rule},
        passes=-(-all_pixels // pixels),
    )
    yield Candidate(NAME, tuned, all_pixels * _window_cycles(count, outputs))


def _window_cycles(count: int, outputs: int) -> float:
    """Return the cycles on a Cortex-M0+ for a window of inputs of which none is zero.

    Fitted to windows of 1x1 and 3x3, 1 to 40 channels, 1 to 64 outputs, which it meets within 9 %;
    of a Cortex-M3, which takes up to a third less, within 35 %.
    """
    pairs, odd, blocks = outputs // 2, outputs % 2, -(-count // LENGTH)
    products = count * (27.0 * pairs + 24.6 * odd + 61.3)
    return products + blocks * (561 * pairs + 335 * odd + 367) + 344
