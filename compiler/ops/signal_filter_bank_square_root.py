"""SignalFilterBankSquareRoot: energies become magnitudes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, wanted, wanted_shape
from tinysim.compiler.ops._signal import SignalOperator, computed, ints, wanted_count


@dataclass(frozen=True)
class SignalFilterBankSquareRoot(SignalOperator):
    """``out = round(sqrt(in)) >> bits``, ``bits`` the second input.

    As in TFLM a root that would round up to 2**16 from below 2**32 stays 65535.
    """

    tflite = "CUSTOM:SignalFilterBankSquareRoot"
    kernels = {DType.UINT64: ("signal_filter_bank_square_root_u64",)}

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and shapes."""
        if any(found := list(wanted_count(inputs, outputs, 2, 1))):
            yield from found
            return
        x, bits = inputs[:2]
        yield from wanted(x, "input", DType.UINT64)
        yield from wanted(bits, "scale", DType.INT32)
        yield from wanted(outputs[0], "output", DType.UINT32)
        yield from wanted_shape(x, "input", outputs[0].shape)
        if bits is not None and bits.elements != 1:
            yield "scale is more than one number"
        for tensor in (tensor for tensor in (x, bits) if tensor is not None):
            yield from computed(tensor)

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Take integer roots; a shift beyond 31 bits leaves nothing."""
        x, bits = values
        assert x is not None and bits is not None
        (shift,) = ints(bits)
        roots = [_root(value) >> shift if 0 <= shift < 32 else 0 for value in ints(x)]
        return (np.array(roots, np.uint32).reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel."""
        x, bits = inputs
        assert x is not None and bits is not None
        params = {"elements": x.elements}
        call = KernelCall("signal_filter_bank_square_root_u64", params, (x, bits), outputs)
        return (call,)


def _root(x: int) -> int:
    """Return the rounded square root; it ends where the reference's 16 or 32 bits end."""
    root = math.isqrt(x)
    end = 0xFFFF if x < 2**32 else 0xFFFF_FFFF
    return root + 1 if x - root * root > root and root != end else root
