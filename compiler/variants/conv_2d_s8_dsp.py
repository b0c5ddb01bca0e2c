"""CONV_2D on int8 for cores with DSP instructions: two pixels and four channels at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._convolution import overlaps, prepared
from tinysim.compiler.variants._matrix import GROUP, grouped, is_packable, stream
from tinysim.compiler.variants._requantize import ShortScaling
from tinysim.firmware import Target

#: Pixels that are gathered before they are written.
PIXELS = 2
#: What the workers for two instructions a cycle read behind the columns.
READ_BEYOND_BYTES = 8
#: The enumeration in the kernel.
WHOLE, ANY, CLAMP, SUMS, WIDE = range(5)
#: Parameters that stay as they are.
GEOMETRY = (
    *("batches", "input_h", "input_w", "input_c", "output_h", "output_w", "output_c"),
    *("filter_h", "filter_w", "stride_h", "stride_w", "dilation_h", "dilation_w"),
    *("pad_top", "pad_left", "is_backward"),
)


class Conv2DDsp(Variant):
    """Everything but groups and filters with a zero point."""

    replaces = "conv_2d_s8"

    def runs_on(self, target: Target) -> bool:
        """Want SMLAD and its kin."""
        return target.has_dsp

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield one: weights packed in pairs where that is exact, else 16 bits each."""
        layer = prepared(call)
        if layer is None:
            return
        p, channels, length = layer.sizes, *layer.weights.shape
        worker, words = _stream(layer.weights, layer.biases, layer.scaling)
        has_sums = worker in (SUMS, WIDE)
        is_pointwise = _is_pointwise(p)
        scratch = 4 * length + READ_BEYOND_BYTES + (0 if is_pointwise else 2 * length)
        scratch += 8 * -(-channels // GROUP) * GROUP if has_sums else 0
        table = call.constants[1]
        tuned = replace(
            call,
            kernel="conv_2d_s8_dsp",
            params={
                **{key: p[key] for key in GEOMETRY},
                "worker": worker,
                "is_paired": int(target.mcpu == "cortex-m7"),
                "is_relu": int(layer.scaling is not None and not layer.scaling.has_sign),
                "padding": -p["input_offset"],
                **{key: p[key] for key in ("output_offset", "rounding")},
                **{key: p[key] for key in ("activation_min", "activation_max")},
                "stream_words": len(words),
            },
            constants=(words, table if has_sums else table[:1]),
            scratch_bytes=scratch,
            overlaps=overlaps(call, PIXELS),
            passes=p["batches"] * -(-p["output_h"] * p["output_w"] // PIXELS),
        )
        yield Candidate("conv_2d_s8_dsp", tuned, _cycles(p, length, worker, is_pointwise))


def _stream(weights: Array, biases: Array, scaling: ShortScaling | None) -> tuple[int, Array]:
    """Return the worker for a layer, and the words that it eats."""
    channels, length = weights.shape
    has_overlap = scaling is not None and channels >= GROUP
    groups = grouped(channels, has_overlap)
    if not is_packable(weights, groups):
        groups = grouped(channels, False)
        return WIDE, stream(weights, biases, groups, None, is_wide=True)
    if scaling is None or not has_overlap:
        return SUMS, stream(weights, biases, groups, None)
    if not scaling.is_saturating:
        return CLAMP, stream(weights, biases, groups, scaling, moves=True)
    if length % 16 == 0 and channels % GROUP == 0:
        return WHOLE, stream(weights, biases, groups, scaling)
    return ANY, stream(weights, biases, groups, scaling, moves=True)


def _is_pointwise(p: Mapping[str, int]) -> bool:
    """Whether every pixel of the output sees the pixel of the input at its place."""
    ones = ("filter_h", "filter_w", "stride_h", "stride_w")
    return all(p[key] == 1 for key in ones) and not p["pad_top"] and not p["pad_left"]


def _cycles(p: Mapping[str, int], length: int, worker: int, is_pointwise: bool) -> float:
    """Return the cycles on a Cortex-M4: counted by hand in the kernel's loops."""
    pixels = p["batches"] * p["output_h"] * p["output_w"]
    by_product = 1.1 if worker == WIDE else 0.97
    by_output = {SUMS: 35.0, WIDE: 35.0, CLAMP: 15.0, ANY: 11.0}.get(worker, 9.5)
    gathered = 1.7 if is_pointwise else 4.0
    return pixels * (p["output_c"] * (length * by_product + by_output) + gathered * length + 60.0)
