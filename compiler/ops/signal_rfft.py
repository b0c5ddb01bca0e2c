"""SignalRfft: the spectrum of real samples, in 16-bit fixed point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Options, wanted, wanted_shape
from tinysim.compiler.ops._signal import SignalOperator, computed, option, wanted_count


@dataclass(frozen=True)
class SignalRfft(SignalOperator):
    """The first half of a Fourier transform, divided by its length; int16, rounded at each stage.

    Two samples at a time make a complex number; its transform of half the length is taken apart
    at the end. Stages are of radix 4, the first of radix 2 if they must. Shapes: input ``[N, I]``,
    filled up with zeros to the length L, output ``[N, L + 2]``, real and imaginary part in turn.
    """

    tflite = "CUSTOM:SignalRfft"
    kernels = {DType.INT16: ("signal_rfft_s16",)}

    length: int

    @classmethod
    def from_tflite(cls, options: Options) -> SignalRfft:
        """Take the length."""
        return cls(option(options, "fft_length"))

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and that the length is a power of two."""
        if any(found := list(wanted_count(inputs, outputs, 1, 1))):
            yield from found
            return
        x, out = inputs[0], outputs[0]
        yield from wanted(x, "input", DType.INT16)
        yield from wanted(out, "output", DType.INT16)
        if not 4 <= self.length <= 32768 or self.length & (self.length - 1):
            yield f"length {self.length} is no power of two from 4 to 32768"
        elif x is None or not x.shape or x.shape[-1] > self.length:
            yield f"input is longer than {self.length}"
        else:
            yield from wanted_shape(out, "output", (*x.shape[:-1], self.length + 2))
            yield from computed(x)

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Transform row by row."""
        assert values[0] is not None
        x = values[0].reshape(-1, values[0].shape[-1]).astype(np.int64)
        order, turns, ends = (table.astype(np.int64) for table in fft_tables(self.length))
        filled = np.pad(x, ((0, 0), (0, self.length - x.shape[1])))
        spectrum = _transformed(filled.reshape(len(x), -1, 2)[:, order], turns)
        return (_apart(spectrum, ends).astype(np.int16).reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel with the order of the samples and the turns."""
        (x,) = inputs
        assert x is not None
        params = {
            "rows": x.elements // x.shape[-1],
            "in_length": x.shape[-1],
            "half_length": self.length // 2,
        }
        tables = fft_tables(self.length)
        scratch = 2 * self.length
        return (KernelCall("signal_rfft_s16", params, (x,), outputs, tables, scratch),)


def fft_tables(length: int) -> tuple[Array, Array, Array]:
    """Return the order of the complex samples, the turns of the stages and those of the end."""
    half = length // 2
    order = np.zeros(1, np.int64)
    while len(order) < half:
        radix = 2 if len(order) == 1 and (half.bit_length() - 1) % 2 else 4
        order = (order[None, :] * radix + np.arange(radix)[:, None]).ravel()
    turns = _turns(-2 * np.pi * np.arange(half) / half)
    ends = _turns(-np.pi * ((np.arange(half // 2) + 1) / half + 0.5))
    return order.astype(np.uint16), turns, ends


def _turns(phase: Array) -> Array:
    """Return cosine and sine in Q0.15."""
    pairs = np.stack([np.cos(phase), np.sin(phase)], axis=1)
    return np.floor(0.5 + 32767 * pairs).astype(np.int16)


def _rounded(x: Array) -> Array:
    """Drop 15 bits and keep 16."""
    return _wrapped((x + (1 << 14)) >> 15)


def _wrapped(x: Array) -> Array:
    return ((x + 32768) & 0xFFFF) - 32768


def _turned(x: Array, turn: Array) -> Array:
    """Multiply complex numbers."""
    real = x[..., 0] * turn[..., 0] - x[..., 1] * turn[..., 1]
    imaginary = x[..., 0] * turn[..., 1] + x[..., 1] * turn[..., 0]
    return _rounded(np.stack([real, imaginary], axis=-1))


def _transformed(x: Array, turns: Array) -> Array:
    """Run the stages over ``x [N, half, 2]``, which stands in their order."""
    half, size = x.shape[1], 1
    while size < half:
        radix = 2 if size == 1 and (half.bit_length() - 1) % 2 else 4
        parts = _rounded(x.reshape(len(x), -1, radix, size, 2) * (32767 // radix))
        step = half // (radix * size) * np.arange(size)
        turned = [parts[:, :, 0]]
        turned += [_turned(parts[:, :, k], turns[step * k]) for k in range(1, radix)]
        x = np.stack(_joined(turned), axis=2).reshape(x.shape)
        size *= radix
    return x


def _joined(parts: list[Array]) -> list[Array]:
    """Return the butterfly of two or four parts."""
    if len(parts) == 2:
        return [_wrapped(parts[0] + parts[1]), _wrapped(parts[0] - parts[1])]
    even, odd = _wrapped(parts[0] + parts[2]), _wrapped(parts[1] + parts[3])
    left, right = _wrapped(parts[0] - parts[2]), _wrapped(parts[1] - parts[3])
    across = np.stack([right[..., 1], -right[..., 0]], axis=-1)
    sums = (even + odd, left + across, even - odd, left - across)
    return [_wrapped(total) for total in sums]


def _apart(x: Array, ends: Array) -> Array:
    """Take the transform of real samples out of that of their pairs."""
    half = x.shape[1]
    halved = _rounded(x * (32767 // 2))
    out = np.zeros((len(x), half + 1, 2), np.int64)
    out[:, 0, 0] = halved[:, 0, 0] + halved[:, 0, 1]
    out[:, half, 0] = halved[:, 0, 0] - halved[:, 0, 1]
    low = np.arange(1, half // 2 + 1)
    # A conjugate is made of the number before it is halved.
    mirrored = _rounded(_wrapped(x[:, half - low] * [1, -1]) * (32767 // 2))
    sums, differences = (_wrapped(halved[:, low] + s * mirrored) for s in (1, -1))
    turned = _turned(differences, ends)
    out[:, low] = (sums + turned) >> 1
    out[:, half - low, 0] = (sums - turned)[..., 0] >> 1
    out[:, half - low, 1] = (turned - sums)[..., 1] >> 1
    return _wrapped(out)
