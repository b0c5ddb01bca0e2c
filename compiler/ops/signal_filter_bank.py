"""SignalFilterBank: energies of frequencies, added up in overlapping bands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Options, wanted, wanted_constant, wanted_shape
from tinysim.compiler.ops._signal import SignalOperator, computed, ints, option, wanted_count


@dataclass(frozen=True)
class SignalFilterBank(SignalOperator):
    """A frequency counts ``weight`` in its band and ``unweight`` in the next one.

    Inputs: energies, weights, unweights and for each of ``channels + 1`` bands its first
    frequency, its first weight and its width. The first band is not given out.
    """

    tflite = "CUSTOM:SignalFilterBank"
    kernels = {DType.UINT32: ("signal_filter_bank_u32",)}

    channels: int

    @classmethod
    def from_tflite(cls, options: Options) -> SignalFilterBank:
        """Take the number of bands."""
        return cls(option(options, "num_channels"))

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types and that every band lies inside the energies and the weights."""
        if any(found := list(wanted_count(inputs, outputs, 6, 1))):
            yield from found
            return
        x, *tables = inputs[:6]
        yield from wanted(x, "input", DType.UINT32)
        yield from wanted(outputs[0], "output", DType.UINT64)
        yield from wanted_shape(outputs[0], "output", (self.channels,))
        for table, role in zip(tables, _ROLES, strict=True):
            yield from wanted(table, role, DType.INT16)
            yield from wanted_constant(table, role)
        for table, role in zip(tables[2:], _ROLES[2:], strict=True):
            yield from wanted_shape(table, role, (self.channels + 1,))
        data = [table.data for table in tables if table is not None and table.data is not None]
        sizes = [array.size for array in data]
        if x is None or len(data) < 5 or sizes[2:] != [self.channels + 1] * 3:
            return
        yield from computed(x)
        for first, weight, width in zip(*map(ints, data[2:]), strict=True):
            last = max(width, 0)
            if last and not (
                0 <= first <= x.elements - last and 0 <= weight <= min(sizes[:2]) - last
            ):
                yield f"a band of {width} frequencies from {first} does not lie inside"

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Add up, modulo 2**64."""
        x, weights, unweights, *bands = (ints(value) for value in values if value is not None)
        sums, carried = [], 0
        for first, weight, width in zip(*bands, strict=True):
            total, carried_on = carried, 0
            for j in range(width):
                total += weights[weight + j] * x[first + j]
                carried_on += unweights[weight + j] * x[first + j]
            sums.append(total % 2**64)
            carried = carried_on
        return (np.array(sums[1:], np.uint64),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel."""
        x = inputs[0]
        assert x is not None
        tables = tuple(t.data for t in inputs[1:] if t is not None and t.data is not None)
        params = {"channels": self.channels}
        return (KernelCall("signal_filter_bank_u32", params, (x,), outputs, tables),)


_ROLES = ("weights", "unweights", "first frequencies", "first weights", "widths")
