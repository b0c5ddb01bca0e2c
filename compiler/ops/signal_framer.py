"""SignalFramer: frames that overlap, cut from a signal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Options, wanted, wanted_shape
from tinysim.compiler.ops._signal import SignalOperator, computed, option, wanted_count

#: Longest frame.
MAX_FRAME = 2**20


@dataclass(frozen=True)
class SignalFramer(SignalOperator):
    """Shapes: samples ``[.., n * step]``, frames ``[.., n, size]``, whether all are valid ``[]``.

    A frame begins ``step`` samples after the one before. Until enough samples have come, frames
    begin with silence and are not valid (TFLM leaves them as they are); with ``prefill`` they are.
    """

    tflite = "CUSTOM:SignalFramer"
    output_count = 2
    kernels = {DType.INT16: ("signal_framer_s16",)}

    size: int
    step: int
    prefill: bool

    @classmethod
    def from_tflite(cls, options: Options) -> SignalFramer:
        """Take sizes."""
        prefill = bool(options.get("prefill", False))
        return cls(option(options, "frame_size"), option(options, "frame_step"), prefill)

    @property
    def _kept(self) -> int:
        """Samples that are kept from one inference to the next."""
        return self.size - self.step if self.prefill else (self.size - 1) // self.step * self.step

    def own_states(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[Array, ...]:
        """Keep the samples that frames to come begin with, and how many steps have not come."""
        if list(self._size_problems()) or not inputs or inputs[0] is None or not inputs[0].shape:
            return ()
        missing = 0 if self.prefill else self._kept // self.step
        rows = inputs[0].elements // inputs[0].shape[-1]
        return np.zeros((rows, max(1, self._kept)), np.int16), np.array([missing], np.int32)

    def _size_problems(self) -> Iterator[str]:
        if not 1 <= self.step <= self.size <= MAX_FRAME:
            yield f"frames of {self.size} samples every {self.step}"

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shapes and sizes."""
        found = [*wanted_count(inputs, outputs, 1, 2), *self._size_problems()]
        if found:
            yield from found
            return
        x = inputs[0]
        yield from wanted(x, "input", DType.INT16)
        yield from wanted(outputs[0], "output", DType.INT16)
        yield from wanted(outputs[1], "validity", DType.BOOL)
        if x is None or not x.shape or x.shape[-1] % self.step:
            yield f"the samples are no multiple of {self.step}"
            return
        yield from computed(x)
        shape = (*x.shape[:-1], x.shape[-1] // self.step, self.size)
        yield from wanted_shape(outputs[0], "output", shape)
        if outputs[1].elements != 1:
            yield f"validity has {outputs[1].elements} elements, expected 1"

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Cut frames from what is kept and what comes."""
        x, kept, missing = values
        assert x is not None and kept is not None and missing is not None
        rows = x.reshape(len(kept), -1)
        whole = np.concatenate([kept[:, : self._kept], rows], axis=1)
        count = x.shape[-1] // self.step
        frames = [whole[:, n * self.step : n * self.step + self.size] for n in range(count)]
        out = np.stack(frames, axis=1).reshape(outputs[0].shape)
        valid = np.full(outputs[1].shape, missing[0] == 0)
        last = whole[:, whole.shape[1] - self._kept :] if self._kept else kept
        return out, valid, last, np.maximum(missing - count, 0).astype(np.int32)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel; the states are its last outputs."""
        x = inputs[0]
        assert x is not None
        samples = x.shape[-1]
        params = {
            "rows": x.elements // samples,
            "frames": samples // self.step,
            "size": self.size,
            "step": self.step,
            "kept": self._kept,
        }
        return (KernelCall("signal_framer_s16", params, (x,), outputs),)
