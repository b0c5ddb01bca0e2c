"""The steps of an LSTM in numpy, in float32 and in TFLM's integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.quantize import requantize, requantize_wide, wrap_int32

Params = Mapping[str, int | float]
States = tuple[Array, Array, Array]


@dataclass(frozen=True)
class Sizes:
    """B, T, I and U."""

    batches: int
    steps: int
    features: int
    units: int


def float_reference(
    sizes: Sizes, params: Params, constants: Sequence[Array], x: Array, h: Array, c: Array
) -> States:
    """Return what every step of ``x [T, B, I]`` gives, and the last states ``[B, U]``."""
    by_input, by_hidden, bias = constants
    clip = np.float32(params["cell_clip"])
    steps = np.zeros((sizes.steps, sizes.batches, sizes.units), np.float32)
    with np.errstate(all="ignore"):
        for t in range(sizes.steps):
            gates = [
                (_dot(x[t], by_input[gate]) + bias[gate]) + _dot(h, by_hidden[gate])
                for gate in range(4)
            ]
            taken, kept, shown = (_sigmoid(gates[gate]) for gate in (0, 1, 3))
            c = np.clip(kept * c + taken * np.tanh(gates[2]), -clip, clip).astype(np.float32)
            h = (np.tanh(c) * shown).astype(np.float32)
            steps[t] = h
    return steps, h, c


def _dot(x: Array, weights: Array) -> Array:
    """Multiply ``[B, I]`` by ``[U, I]``, adding one after another in single precision."""
    total: Array = np.cumsum(x[:, None, :] * weights, axis=-1, dtype=np.float32)[..., -1]
    return total


def _sigmoid(x: Array) -> Array:
    one = np.float32(1)
    with np.errstate(over="ignore"):
        usual: Array = one / (one + np.exp(-x))
        return np.where(x > 16.619047, one, np.where(x < -9, np.exp(np.minimum(x, 0)), usual))


def integer_reference(
    sizes: Sizes, params: Params, constants: Sequence[Array], x: Array, h: Array, c: Array
) -> States:
    """Return what every step of ``x [T, B, I]`` gives, and the last states ``[B, U]``."""
    by_input, by_hidden, bias, scaling, table = (
        array if array.dtype.names else array.astype(np.int64) for array in constants
    )
    p = {"hidden_offset": 0} | {key: int(value) for key, value in params.items()}
    if bias.ndim == 2:  # of int16: of the first product alone
        bias = np.stack([bias, np.zeros_like(bias)], axis=1)
    limits = np.iinfo(h.dtype)
    steps = np.zeros((sizes.steps, sizes.batches, sizes.units), h.dtype)

    def scaled_product(product: Array, multiplier: int, shift: int) -> Array:
        if h.dtype == np.int8:
            return requantize(wrap_int32(product), multiplier, shift)
        return requantize_wide(product, multiplier, shift)

    def gate(index: int, values: Array) -> Array:
        parts = (values @ by_input[index].T, h.astype(np.int64) @ by_hidden[index].T)
        scaled = [
            _int16(
                scaled_product(
                    part + bias[index, side],
                    int(scaling[index, side]["multiplier"]),
                    int(scaling[index, side]["shift"]),
                )
            )
            for side, part in enumerate(parts)
        ]
        return _int16(scaled[0] + scaled[1])

    for t in range(sizes.steps):
        values = x[t].astype(np.int64)
        taken, kept, shown = (_sigmoid_int16(gate(i, values), table) for i in (0, 1, 3))
        new = _tanh_int16(gate(2, values) * 3, table)
        left = _int16(requantize(kept * c, p["kept_multiplier"], p["kept_shift"]))
        added = _int16(requantize(taken * new, p["taken_multiplier"], p["taken_shift"]))
        c = np.clip(_int16(left + added), -p["cell_clip"], p["cell_clip"])
        half = 1 << (p["tanh_shift"] - 1) if p["tanh_shift"] else 0
        squashed = _tanh_int16((c * p["tanh_multiplier"] + half) >> p["tanh_shift"], table)
        product = requantize(squashed * shown, p["hidden_multiplier"], p["hidden_shift"])
        h = np.clip(product + p["hidden_offset"], limits.min, limits.max).astype(limits.dtype)
        steps[t] = h
    return steps, h, c.astype(np.int16)


def _int16(x: Array) -> Array:
    limited: Array = np.clip(x, -32768, 32767)
    return limited


def _interpolated(magnitude: Array, bits: int, table: Array) -> Array:
    """Interpolate in the table, ``bits`` bits between entries; the last entry is the end."""
    index = np.minimum(magnitude >> bits, 254)
    below, above = table[index], table[index + 1]
    found: Array = (below << bits) + (magnitude & ((1 << bits) - 1)) * (above - below)
    return found


def _sigmoid_int16(x: Array, table: Array) -> Array:
    """Return ``sigmoid`` in Q0.15 of Q3.12; an entry of the table is 512 of three times that."""
    magnitude = np.abs(x * 3)
    found = np.where(magnitude >> 9 >= 255, 0x7FFF << 10, _interpolated(magnitude, 9, table))
    signed: Array = np.where(x >= 0, found + 512, (1 << 25) - found + 511) >> 10
    return signed


def _tanh_int16(x: Array, table: Array) -> Array:
    """Return ``tanh`` in Q0.15; an entry of the table is 256 of ``x``."""
    magnitude = np.abs(x)
    found = np.where(magnitude >> 8 >= 255, 0xFFFF << 8, _interpolated(magnitude, 8, table))
    signed: Array = np.where(x >= 0, found - (1 << 23) + 128, (1 << 23) - found + 127) >> 8
    return signed
