"""SignalStacker: spectra of several times side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Options, wanted, wanted_shape
from tinysim.compiler.ops._signal import SignalOperator, computed, option, wanted_count

#: Most elements of a stack.
MAX_STACK = 2**20


@dataclass(frozen=True)
class SignalStacker(SignalOperator):
    """Shapes: a row ``[channels]``, a stack ``[(left + 1 + right) * channels]``, validity ``[]``.

    The first row counts ``left`` times more. A stack is valid once it is full; then it loses
    ``step`` rows. What is not valid shows rows that are old (TFLM leaves it as it is).
    """

    tflite = "CUSTOM:SignalStacker"
    output_count = 2
    kernels = {DType.INT16: ("signal_stacker_s16",)}

    channels: int
    left: int
    right: int
    step: int

    @classmethod
    def from_tflite(cls, options: Options) -> SignalStacker:
        """Take sizes."""
        names = ("num_channels", "stacker_left_context", "stacker_right_context", "stacker_step")
        return cls(*(option(options, name) for name in names))

    @property
    def _rows(self) -> int:
        """Rows of a stack."""
        return self.left + 1 + self.right

    def own_states(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[Array, ...]:
        """Keep the stack, and how many rows it has; -1 before the first."""
        if list(self._size_problems()):
            return ()
        return np.zeros(self._rows * self.channels, np.int16), np.array([-1], np.int32)

    def _size_problems(self) -> Iterator[str]:
        sizes = (self.channels, self.left, self.right, self.step)
        if min(sizes) < 0 or max(sizes) > MAX_STACK:
            yield f"sizes {sizes} are missing or too large"
        elif not 1 <= self._rows * self.channels <= MAX_STACK or not 1 <= self.step <= self._rows:
            yield f"{self._rows} rows of {self.channels} elements, {self.step} at a time"

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shapes and sizes."""
        found = [*wanted_count(inputs, outputs, 1, 2), *self._size_problems()]
        if found:
            yield from found
            return
        x = inputs[0]
        yield from wanted(x, "input", DType.INT16)
        yield from wanted_shape(x, "input", (self.channels,))
        yield from wanted(outputs[0], "output", DType.INT16)
        yield from wanted_shape(outputs[0], "output", (self._rows * self.channels,))
        yield from wanted(outputs[1], "validity", DType.BOOL)
        if outputs[1].elements != 1:
            yield f"validity has {outputs[1].elements} elements, expected 1"
        if x is not None:
            yield from computed(x)

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Add the row; if the stack is full, take the oldest rows off."""
        x, stack, count = values
        assert x is not None and stack is not None and count is not None
        rows = stack.reshape(self._rows, self.channels).copy()
        first = max(int(count[0]), 0)
        held = first + 1 if count[0] >= 0 else self.left + 1
        rows[first:held] = x
        out = rows.reshape(-1).copy()
        is_full = held == self._rows
        if is_full:
            held -= self.step
            rows[:held] = rows[self.step :].copy()
        valid = np.full(outputs[1].shape, is_full)
        return out, valid, rows.reshape(-1), np.array([held], np.int32)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel; the states are its last outputs."""
        x = inputs[0]
        assert x is not None
        params = {
            "channels": self.channels,
            "rows": self._rows,
            "left": self.left,
            "step": self.step,
        }
        return (KernelCall("signal_stacker_s16", params, (x,), outputs),)
