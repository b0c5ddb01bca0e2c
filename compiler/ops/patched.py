"""PATCHED: the first layers of a model, computed band by band of rows; a pass makes it.

Only a band of every tensor between the layers exists at a time. Rows that windows of two bands
reach into are computed twice: that is the price, and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from tinysim.compiler.graph import Array, Node, Tensor
from tinysim.compiler.ops import SCRATCH_ID, Inputs, KernelCall, Operator, Overlap
from tinysim.compiler.ops._window import Pads, Window

#: Rows of a tensor: the first, and the one behind the last.
Rows = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Patched(Operator):
    """Two or more convolutions, ``bands`` times over a part of the rows of the last one's output.

    A band of the input is read before a row of the output is written: between them lies a layer.
    """

    tflite = "PATCHED"
    kernels = {}

    chain: tuple[Node, ...] = ()
    bands: int = 1

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Find none: the pass has taken what is possible."""
        yield from ()

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Compute layer by layer, whole: the same numbers."""
        x = values[0]
        for node in self.chain:
            constants = tuple(None if t is None else t.data for t in node.inputs[1:])
            (x,) = node.op.reference(node.inputs, node.outputs, (x, *constants))
        assert x is not None
        return (x,)

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count what is computed, rows that are computed twice included."""
        total = 0
        for rows in self._bands():
            for node, (first, last) in zip(self.chain, rows[1:], strict=True):
                whole = node.op.macs(node.inputs, node.outputs)
                total += whole * (last - first) // node.outputs[0].shape[1]
        return total

    def workspace_bytes(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Return what the largest two neighbouring bands between the layers take."""
        return max(self._two_bytes(rows) for rows in self._bands())

    def overlaps(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Mapping[int, Overlap]:
        """Let the output lie over rows of the input that no later band needs."""
        x, out = inputs[0], outputs[0]
        assert x is not None
        bands = list(self._bands())
        spans = [
            band[-1][1] * _row_bytes(out) - later[0][0] * _row_bytes(x)
            for band, later in pairwise(bands)
        ]
        return {0: Overlap(forward=max(0, *spans))} if spans else {}

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call each layer's kernel on each band, between them in the workspace."""
        calls = []
        workspace = self.workspace_bytes(inputs, outputs)
        for rows in self._bands():
            for index, node in enumerate(self.chain):
                calls.append(self._call(index, node, rows, workspace, inputs, outputs))
        return tuple(calls)

    def _call(
        self,
        index: int,
        node: Node,
        rows: list[Rows],
        workspace: int,
        inputs: Inputs,
        outputs: tuple[Tensor, ...],
    ) -> KernelCall:
        """Return one layer's call on one band."""
        read, write = node.inputs[0], node.outputs[0]
        assert read is not None
        band_in, band_out = (_band(t, rows[index + i]) for i, t in enumerate((read, write)))
        op = replace(node.op, padding=_pads(node, rows[index + 1]))  # type: ignore[type-var]
        (call,) = op.lower((band_in, *node.inputs[1:]), (band_out,))
        ends = []
        for position, band in ((index, band_in), (index + 1, band_out)):
            if position == 0:
                assert inputs[0] is not None
                ends.append((inputs[0], rows[0][0] * _row_bytes(inputs[0])))
            elif position == len(self.chain):
                ends.append((outputs[0], rows[-1][0] * _row_bytes(outputs[0])))
            else:  # neighbours lie at either end of the workspace
                at = 0 if position % 2 else workspace - _aligned(band.size_bytes)
                ends.append((band, at))
        (source, source_at), (target, target_at) = ends
        return replace(
            call,
            inputs=(source,),
            outputs=(target,),
            input_offsets=(source_at,),
            output_offsets=(target_at,),
        )

    def _bands(self) -> Iterator[list[Rows]]:
        """Yield, band by band, the rows of the input and of each layer's output."""
        height = self.chain[-1].outputs[0].shape[1]
        for band in range(self.bands):
            rows = [(band * height // self.bands, (band + 1) * height // self.bands)]
            for node in reversed(self.chain):
                rows.insert(0, _needed(node, rows[0]))
            yield rows

    def _two_bytes(self, rows: list[Rows]) -> int:
        """Return the bytes of the largest two neighbours between the layers of one band."""
        sizes = [
            _aligned((last - first) * _row_bytes(node.outputs[0]))
            for node, (first, last) in zip(self.chain[:-1], rows[1:-1], strict=True)
        ]
        return max((a + b for a, b in pairwise([0, *sizes])), default=0)


def _window(node: Node) -> Window:
    found: Window = node.op.window(node.inputs[1])  # type: ignore[attr-defined]
    return found


def _reach(node: Node, rows: Rows) -> Rows:
    """Return the input rows that output rows look at, outside of the input, too."""
    x = node.inputs[0]
    assert x is not None
    window = _window(node)
    top, _ = window.pad(*x.shape[1:3])
    extent = (window.filter_h - 1) * window.dilation_h + 1
    return rows[0] * window.stride_h - top, (rows[1] - 1) * window.stride_h - top + extent


def _needed(node: Node, rows: Rows) -> Rows:
    """Return the input rows that output rows need."""
    x = node.inputs[0]
    assert x is not None
    first, last = _reach(node, rows)
    return max(0, first), min(x.shape[1], last)


def _pads(node: Node, rows: Rows) -> Pads:
    """Return the padding of a band: above and below only at the image's own edges."""
    x = node.inputs[0]
    assert x is not None
    first, last = _reach(node, rows)
    own = _window(node).pads(*x.shape[1:3])
    return Pads(max(0, -first), own.left, max(0, last - x.shape[1]), own.right)


def _band(tensor: Tensor, rows: Rows) -> Tensor:
    """Return some rows of a tensor, as they lie in the workspace."""
    shape = (1, rows[1] - rows[0], *tensor.shape[2:])
    return replace(tensor, id=SCRATCH_ID, shape=shape)


def _row_bytes(tensor: Tensor) -> int:
    return tensor.shape[2] * tensor.shape[3] * tensor.dtype.itemsize


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // 8) * 8
