"""CONV_2D on int8 for cores with DSP instructions, stride 1: windows read from widened rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._convolution import overlaps, prepared
from tinysim.compiler.variants._matrix import GROUP, grouped, is_packable, stream
from tinysim.firmware import Target

#: Numbers of input channels that there are workers for.
CHANNELS = (16, 32, 64)
#: What the workers for two instructions a cycle read behind the rows.
READ_BEYOND_BYTES = 8
#: Parameters that stay as they are.
GEOMETRY = (
    *("batches", "input_h", "input_w", "input_c", "output_h", "output_w", "output_c"),
    *("filter_h", "filter_w", "stride_h", "dilation_h", "pad_top", "pad_left", "is_backward"),
)


class Conv2DDspRows(Variant):
    """Windows wider than a pixel, whole groups of channels, short scaling and saturation."""

    replaces = "conv_2d_s8"

    def runs_on(self, target: Target) -> bool:
        """Want SMLAD and its kin."""
        return target.has_dsp

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield one, if the layer has the usual shape."""
        layer = prepared(call)
        if layer is None or layer.scaling is None or not layer.scaling.is_saturating:
            return
        p, channels = layer.sizes, layer.weights.shape[0]
        groups = grouped(channels, False)
        is_usual = p["stride_w"] == p["dilation_w"] == 1 < p["output_w"]
        is_usual &= p["filter_h"] * p["filter_w"] > 1 and p["input_c"] in CHANNELS
        is_usual &= p["output_w"] + p["filter_w"] - 1 > p["pad_left"]
        if not is_usual or channels % GROUP or not is_packable(layer.weights, groups):
            return
        words = stream(layer.weights, layer.biases, groups, layer.scaling)
        columns = p["output_w"] + p["filter_w"] - 1
        tuned = replace(
            call,
            kernel="conv_2d_s8_dsp_rows",
            params={
                **{key: p[key] for key in GEOMETRY},
                "is_paired": int(target.mcpu == "cortex-m7"),
                "is_relu": int(not layer.scaling.has_sign),
                "padding": -p["input_offset"],
                "output_offset": p["output_offset"],
                "stream_words": len(words),
            },
            constants=(words,),
            scratch_bytes=2 * p["filter_h"] * columns * p["input_c"] + READ_BEYOND_BYTES,
            overlaps=overlaps(call, p["output_w"]),
            passes=p["batches"] * p["output_h"] * -(-p["output_w"] // 2),
        )
        # Counted by hand in the kernel's loops, for the Cortex-M4.
        by_output = layer.weights.shape[1] * 0.98 + 10.5 + 1.5 * p["filter_h"]
        widened = 1.6 * p["filter_h"] * columns * p["input_c"]
        rows = p["batches"] * p["output_h"]
        cycles = rows * (p["output_w"] * (channels * by_output + 40.0) + widened + 200.0)
        yield Candidate("conv_2d_s8_dsp_rows", tuned, cycles)
