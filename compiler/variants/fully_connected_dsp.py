"""FULLY_CONNECTED on int8 for Armv7E-M: dual multiplies, eight channels at a time.

The weights of two channels share halfwords as ``256 * high + low``; see
``kernels/dsp/fully_connected_dsp_loop.h``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall, Overlap
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._requantize import ShortScaling, short_scaling
from tinysim.firmware import Target

#: Channels that the kernel sums up at a time.
CHANNELS = 8
SIZES = ("batches", "in_features", "out_features")


@dataclass(frozen=True, eq=False)
class Packed:
    """Weights as the kernel reads them, and what the sums start with, both int32."""

    weights: Array
    starts: Array


def packed(call: KernelCall, is_centred: bool = False) -> Packed | None:
    """Interleave the weights of a portable call; None where sums could not be separated.

    The input's zero point is part of the starts, unless ``is_centred``: then the kernel takes it
    off the inputs. A pair of weights must fit a halfword, which only a -128 with a negative one
    beside it does not, and ``256 * S(high) + S(low)`` 32 bits for every input.
    """
    if call.params["filter_offset"] != 0:
        return None
    filter_ = call.constants[0].astype(np.int64)
    channels, features = filter_.shape
    offset = int(call.params["input_offset"])
    start = call.constants[1]["bias"].astype(np.int64)
    if not is_centred:
        start += offset * filter_.sum(axis=1)
    largest_input = max(128 - offset, 127 + offset) if is_centred else 128
    shape = (-(-channels // CHANNELS) * CHANNELS, -(-features // 4) * 4)
    padded = np.zeros(shape, np.int64)
    padded[:channels, :features] = filter_
    starts = np.zeros(shape[0], np.int64)
    starts[:channels] = start
    halves = 256 * padded[0::2] + padded[1::2]
    largest = largest_input * np.abs(padded).sum(axis=1) + np.abs(starts)
    sums = 256 * largest[0::2] + largest[1::2]
    if halves.min() < -(2**15) or halves.max() >= 2**15 or sums.max() >= 2**31:
        return None
    # [block, pair of channels, quad of positions, second of a pair, odd positions]
    split = halves.reshape(-1, CHANNELS // 2, shape[1] // 4, 2, 2).transpose(0, 2, 4, 1, 3)
    words = np.append(np.ascontiguousarray(split).astype("<i2").view("<i4").ravel(), 0)
    return Packed(
        weights=words.astype(np.int32),
        starts=np.stack([256 * starts[0::2] + starts[1::2], starts[1::2]], axis=1)
        .astype(np.int32)
        .ravel(),
    )


def row_overlaps(params: Mapping[str, int | float]) -> Mapping[int, Overlap]:
    """Return the overlap of a kernel that reads a whole row before it writes the row's outputs."""
    batches, read, written = (int(params[name]) for name in SIZES)
    return {0: Overlap(forward=max(0, (batches - 1) * (written - read)))}


class FullyConnectedDsp(Variant):
    """A kernel for one scale and no clamping but saturation, and one for everything else."""

    replaces = "fully_connected_s8"

    def runs_on(self, target: Target) -> bool:
        """Whether the core has dual multiplies."""
        return target.has_dsp

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield a kernel if the packing is exact; the faster one if its requantization is."""
        weights = packed(call)
        if weights is None:
            return
        scaling = short_scaling(call)
        sizes = {name: int(call.params[name]) for name in SIZES}
        if scaling is not None and scaling.is_saturating and _is_one(scaling):
            params = {
                **sizes,
                "multiplier": int(scaling.multiplier[0]),
                "power": int(scaling.power[0]),
                "output_offset": call.params["output_offset"],
            }
            yield _candidate("fully_connected_dsp", call, params, weights, (), 10)
            centred = packed(call, is_centred=True)
            if call.params["input_offset"] == 128 and centred is not None:
                params = {**sizes, "input_offset": 128} | params
                yield _candidate("fully_connected_sparse_dsp", call, params, centred, (), 10)
            return
        limits = ("output_offset", "rounding", "activation_min", "activation_max")
        params = sizes | {name: call.params[name] for name in limits}
        channels = call.constants[1]
        own = np.stack([channels["multiplier"], channels["shift"]], axis=1)
        yield _candidate("fully_connected_channels_dsp", call, params, weights, (own,), 40)


def _is_one(scaling: ShortScaling) -> bool:
    """Whether all channels have one scale."""
    return all((array == array[0]).all() for array in (scaling.multiplier, scaling.power))


def _candidate(
    kernel: str,
    call: KernelCall,
    params: Mapping[str, int | float],
    weights: Packed,
    constants: tuple[Array, ...],
    output_cycles: float,
) -> Candidate:
    """Return a candidate of one of the kernels.

    Its cycles are the loop's count for four positions of eight channels, what it takes to expand
    four positions, and what was measured for an output. Of what follows a ReLU half is supposed to
    be zero, so a quarter of the pairs.
    """
    is_sparse = kernel == "fully_connected_sparse_dsp"
    loop, expand = (0.75 * 43.5, 22.0) if is_sparse else (38.0, 8.5)
    batches, features, channels = (int(params[name]) for name in SIZES)
    quads, blocks = -(-features // 4), -(-channels // CHANNELS)
    outputs = blocks * CHANNELS * output_cycles
    tuned = KernelCall(
        kernel,
        params,
        call.inputs,
        call.outputs,
        (weights.weights, weights.starts, *constants),
        scratch_bytes=(8 if is_sparse else 4) * (2 * quads + 1),
        input_offsets=call.input_offsets,
        output_offsets=call.output_offsets,
        overlaps=row_overlaps(params),
    )
    return Candidate(
        kernel, tuned, batches * (60 + expand * quads + loop * quads * blocks + outputs)
    )
