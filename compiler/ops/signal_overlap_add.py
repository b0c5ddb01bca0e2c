"""SignalOverlapAdd: a signal out of frames that overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Options, wanted, wanted_shape
from tinysim.compiler.ops._signal import SignalOperator, computed, option, wanted_count


@dataclass(frozen=True)
class SignalOverlapAdd(SignalOperator):
    """Shapes: frames ``[.., n, size]``, samples ``[.., n * step]``; int16 sums are saturated.

    A frame begins ``step`` samples after the one before.
    """

    tflite = "CUSTOM:SignalOverlapAdd"
    kernels = {
        DType.INT16: ("signal_overlap_add_s16",),
        DType.FLOAT32: ("signal_overlap_add_f32",),
    }

    step: int

    @classmethod
    def from_tflite(cls, options: Options) -> SignalOverlapAdd:
        """Take the step."""
        return cls(option(options, "frame_step"))

    def own_states(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[Array, ...]:
        """Keep the samples that frames to come may add to."""
        x = (*inputs, None)[0]
        if x is None or len(x.shape) < 2 or x.dtype not in self.kernels:
            return ()
        size, frames = x.shape[-1], x.shape[-2]
        return (np.zeros((x.elements // (size * frames), size), x.dtype.value),)

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shapes and the step."""
        if any(found := list(wanted_count(inputs, outputs, 1, 1))):
            yield from found
            return
        x = inputs[0]
        yield from wanted(x, "input", *self.kernels)
        if x is None or len(x.shape) < 2:
            yield "frames have 2 dimensions or more"
            return
        yield from computed(x)
        yield from wanted(outputs[0], "output", x.dtype)
        yield from wanted_shape(outputs[0], "output", (*x.shape[:-2], x.shape[-2] * self.step))
        if not 1 <= self.step <= x.shape[-1]:
            yield f"frame_step is {self.step}, expected 1 to {x.shape[-1]}"

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Add frame by frame, give what is complete."""
        x, kept = values
        assert x is not None and kept is not None
        given, sums = [], kept
        for frame in x.reshape(len(kept), -1, kept.shape[1]).swapaxes(0, 1):
            if x.dtype == np.int16:
                total = np.clip(sums.astype(np.int64) + frame, -32768, 32767)
                sums = total.astype(np.int16)
            else:
                with np.errstate(all="ignore"):
                    sums = sums + frame
            given.append(sums[:, : self.step])
            sums = np.concatenate([sums[:, self.step :], np.zeros_like(given[-1])], axis=1)
        return np.stack(given, axis=1).reshape(outputs[0].shape), sums

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the type; the state is its last output."""
        x = inputs[0]
        assert x is not None
        frames, size = x.shape[-2:]
        params = {
            "rows": x.elements // (frames * size),
            "frames": frames,
            "size": size,
            "step": self.step,
        }
        return (KernelCall(self.kernels[x.dtype][0], params, (x,), outputs),)
