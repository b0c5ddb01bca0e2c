"""FULLY_CONNECTED on int8 for Armv6-M: four channels at a time, a byte a weight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import Candidate, Variant
from tinysim.compiler.variants._matrix_v6m import runs_on_v6m
from tinysim.compiler.variants._requantize_v6m import V6mChannels, accumulator_range, v6m_channels
from tinysim.firmware import Target

#: Channels of a group, and the byte of a word that each has its weights in.
GROUP = 4
_BYTES = (0, 2, 1, 3)
#: Inputs that are summed in 16 bits, and their order among four.
BLOCK = 8
_ORDER = (0, 3, 1, 2)
#: What saves less than 10,000 cycles or so is not worth the 700 bytes of the worker.
LEAST_PRODUCTS = 1000


class FullyConnectedV6m(Variant):
    """Everything but filters with a zero point and multipliers of 1 and more."""

    replaces = "fully_connected_s8"

    def runs_on(self, target: Target) -> bool:
        """Want an Armv6-M core: others have better."""
        return runs_on_v6m(target)

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield one: in pairs what may be, one by one the rest."""
        sizes = [int(call.params[key]) for key in ("batches", "in_features", "out_features")]
        if prod(sizes) >= LEAST_PRODUCTS:
            yield from by_rows(call, *sizes)


def by_rows(call: KernelCall, batches: int, length: int, outputs: int) -> Iterator[Candidate]:
    """Yield one: in pairs what may be, one by one the rest.

    ``call`` has ``batches`` rows of ``length`` inputs, and ``outputs`` filters that see all of a
    row.
    """
    channels = v6m_channels(call, call.constants[0].reshape(outputs, length))
    if channels is None:
        return
    padded = -(-length // BLOCK) * BLOCK
    # Words are loaded from rows: they must be aligned and whole.
    is_copied = padded != length or any(offset % 4 for offset in call.input_offsets)
    words, pairs = stream(channels)
    tuned = replace(
        call,
        kernel="fully_connected_s8_v6m",
        params={
            "batches": batches,
            "in_features": length,
            "out_features": outputs,
            "padded": padded,
            "is_copied": int(is_copied),
            "offset": channels.offset,
            "limit": channels.limit or 2**31 - 1,
            "activation_min": call.params["activation_min"],
            "activation_max": call.params["activation_max"],
        },
        constants=(words,),
        scratch_bytes=padded // 2 + (padded if is_copied else 0),
        overlaps={},
    )
    by_four = padded * (16.2 - 3.6 * pairs) + 240
    groups = -(-outputs // GROUP)
    cycles = batches * (groups * by_four + padded * (15 if is_copied else 6) + 100)
    yield Candidate("fully_connected_s8_v6m", tuned, cycles)


def stream(channels: V6mChannels) -> tuple[Array, float]:
    """Return the words of all groups, int32, and the share of groups that multiply in pairs."""
    outputs, length = channels.weights.shape
    groups, blocks = -(-outputs // GROUP), -(-length // BLOCK)
    weights = np.zeros((groups * GROUP, blocks * BLOCK), np.int64)
    weights[:outputs, :length] = channels.weights
    rows = np.zeros((groups * GROUP, 3), np.int64)
    rows[:outputs] = np.stack([channels.bias, channels.low, channels.high], axis=1)
    parts = weights.reshape(-1, BLOCK)
    least, most = accumulator_range(parts, np.zeros(len(parts), np.int64))
    is_inside: Array = (least >= -(2**15)) & (most < 2**15)
    fits = np.logical_and.reduce(is_inside.reshape(groups, -1), axis=1)
    rows = rows.reshape(groups, GROUP, 3)
    rows[fits, 0::2, 0] -= blocks * 2**15
    bytes_ = weights.reshape(groups, GROUP, -1, 4)[..., _ORDER].reshape(groups, GROUP, -1)
    bytes_[fits] += 128
    bytes_ &= 0xFF
    words = sum(bytes_[:, channel] << (8 * byte) for channel, byte in enumerate(_BYTES))
    columns = [fits[:, None], np.asarray(words), rows.reshape(groups, -1)]
    joined = np.concatenate([column.astype(np.int64) for column in columns], axis=1).ravel()
    return (joined & 0xFFFFFFFF).astype(np.uint32).view(np.int32), float(fits.mean())
