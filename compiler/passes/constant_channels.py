"""Channels that are the same number whatever the input: not computed, their share goes into biases.

Interval analysis: from the range of each channel of a tensor follows the range of each channel of
what is computed from it. A channel whose range is one number is constant for every input that
there is; what its consumers make of it is added to their biases. So is a channel dropped that only
feeds dropped ones. All of it is exact in the integers: no output changes by one bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tinysim.compiler.graph import Array, DType, Graph, Node, Tensor
from tinysim.compiler.ops._weights import output_range
from tinysim.compiler.passes._edit import fresh_id

#: Operators that mix channels by constant weights.
MIXING = ("CONV_2D", "FULLY_CONNECTED")
#: Operators whose output channel depends on the same channel of their inputs, and rises with it.
KEEPING = (
    *("DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "ADD"),
    *("QUANTIZE", "RELU", "RELU6", "LOGISTIC", "TANH"),
)


#: Kernels take this many channels at a time: a single one more or less costs more than it saves.
GROUP = 4

#: Channels of all tensors together, from which on following them takes too long, and elements of
#: what is followed by computing it.
MAX_CHANNELS, MAX_COMPUTED = 2**20, 2**23

#: Ratio of scales beyond which values may be raised out of 32 bits.
MAX_RISE = 2.0**8


@dataclass(frozen=True)
class _Range:
    """Least and largest value of each channel (the last axis of what was written)."""

    low: Array
    high: Array

    @property
    def is_constant(self) -> Array:
        """Which channels are one number."""
        found: Array = self.low == self.high
        return found


def remove_constant_channels(graph: Graph) -> Graph:
    """Take out the channels that are constant for every input, and those that only feed them."""
    written = [tensor for node in graph.nodes for tensor in node.outputs]
    if sum(_channels(tensor) for tensor in (*graph.inputs, *written)) > MAX_CHANNELS:
        return graph
    if sum(_computed(node) for node in graph.nodes if _is_followed(node)) > MAX_COMPUTED:
        return graph
    ranges = _ranges(graph)
    dropped = _dropped(graph, ranges)
    count = sum(int(mask.sum()) for mask in dropped.values())
    if not count:
        return graph
    slim = _Slimming(graph, ranges, dropped).run()
    before, after = (_macs(each) for each in (graph, slim))
    note = (
        f"{count:,} channels: constant for every input, with {before - after:,} of {before:,} MACs"
        f" ({(before - after) / max(1, before):.0%}); outputs are the same to the bit"
    )
    return replace(slim, removed=(*slim.removed, note))


def _computed(node: Node) -> int:
    """Return how many elements are computed to follow a node."""
    if node.op.tflite in (*MIXING, "DEPTHWISE_CONV_2D"):
        return 0
    window = getattr(node.op, "filter_h", 1) * getattr(node.op, "filter_w", 1)
    read = sum(tensor.elements for tensor in node.activations)
    return int(read + node.outputs[0].elements * window)


def _macs(graph: Graph) -> int:
    return sum(node.op.macs(node.inputs, node.outputs) for node in graph.nodes)


# --- ranges ---------------------------------------------------------------------------------------


def _ranges(graph: Graph) -> dict[int, _Range]:
    """Return the range of every channel of every int8 tensor."""
    found: dict[int, _Range] = {}
    states = {state.tensor.id for state in graph.states}
    for tensor in (*graph.inputs, *(state.tensor for state in graph.states)):
        found[tensor.id] = _full(tensor)
    for node in graph.nodes:
        for tensor in node.outputs:
            if tensor.id not in states:
                found[tensor.id] = _full(tensor)
        if _is_followed(node) and node.outputs[0].id not in states:
            found[node.outputs[0].id] = _range_behind(node, found)
    return found


def _channels(tensor: Tensor) -> int:
    return tensor.shape[-1] if tensor.shape else 1


def _full(tensor: Tensor) -> _Range:
    channels = _channels(tensor)
    return _Range(np.full(channels, -128), np.full(channels, 127))


def _is_followed(node: Node) -> bool:
    """Whether the analysis knows what the node does to ranges."""
    if node.op.tflite not in (*MIXING, *KEEPING) or not node.outputs[0].shape:
        return False
    if any(t.dtype is not DType.INT8 for t in (*node.activations, *node.outputs)):
        return False
    if node.op.tflite in (*MIXING, "DEPTHWISE_CONV_2D"):
        x, weights, bias = (*node.inputs, None)[:3]
        return (
            x is not None
            and x.data is None
            and weights is not None
            and weights.data is not None
            and weights.dtype is DType.INT8
            and (bias is None or bias.data is not None)
            and _is_one_group(node, x, weights)
        )
    if not all(t.quant is None or _is_usual(t, node.outputs[0]) for t in node.activations):
        return False
    if node.op.tflite == "MEAN" and node.outputs[0].shape[-1] != node.activations[0].shape[-1]:
        return False
    return len(node.activations) == (2 if node.op.tflite == "ADD" else 1) and all(
        tensor.shape[-1:] == node.outputs[0].shape[-1:] for tensor in node.activations
    )


def _is_usual(x: Tensor, out: Tensor) -> bool:
    """Whether requantization cannot wrap, which would put a larger input's output lower."""
    return out.quant is not None and x.scale / out.scale < MAX_RISE


def _is_one_group(node: Node, x: Tensor, weights: Tensor) -> bool:
    if node.op.tflite == "CONV_2D":
        return weights.shape[3] == x.shape[3]
    return node.op.tflite != "DEPTHWISE_CONV_2D" or weights.shape[3] == x.shape[3]


def _range_behind(node: Node, ranges: dict[int, _Range]) -> _Range:
    """Return the range of a node's output from those of its inputs."""
    if node.op.tflite not in (*MIXING, "DEPTHWISE_CONV_2D"):
        ends = []
        for end in ("low", "high"):
            values = tuple(
                None
                if t is None
                else t.data
                if t.data is not None
                else np.broadcast_to(_spread(getattr(ranges[t.id], end), t), t.shape).astype(
                    np.int8
                )
                for t in node.inputs
            )
            y = node.op.reference(node.inputs, node.outputs, values)[0]
            ends.append(y.reshape(-1, node.outputs[0].shape[-1]).astype(np.int64))
        return _Range(ends[0].min(axis=0), ends[1].max(axis=0))
    x, weights = node.inputs[0], node.inputs[1]
    assert x is not None and weights is not None and weights.data is not None
    taps = _taps(node, weights)
    low, high = (_spread(end, x) - x.zero_point for end in (ranges[x.id].low, ranges[x.id].high))
    if node.op.tflite == "DEPTHWISE_CONV_2D":
        at_low, at_high = taps * low[:, None], taps * high[:, None]
    else:
        at_low, at_high = (
            taps * np.resize(low, taps.shape[1]),
            taps * np.resize(high, taps.shape[1]),
        )
    least, most = np.minimum(at_low, at_high), np.maximum(at_low, at_high)
    if _has_padding(node):
        least, most = np.minimum(least, 0), np.maximum(most, 0)
    sums = least.sum(axis=1), most.sum(axis=1)
    return _Range(*output_range(node.op, node.inputs, node.outputs, *sums))


def _spread(values: Array, tensor: Tensor) -> Array:
    """Return one value a channel as one an element of the last axis, which may be a flat view."""
    return np.resize(values, _channels(tensor)).astype(np.int64)


def _taps(node: Node, weights: Tensor) -> Array:
    """Return the filter as ``[output channel, everything else]``, its zero point taken off."""
    assert weights.data is not None
    data = weights.data.astype(np.int64)
    if weights.quant is not None:
        data = data - weights.quant.zero_point[0]
    if node.op.tflite == "DEPTHWISE_CONV_2D":
        return data.reshape(-1, data.shape[3]).T
    return data.reshape(data.shape[0], -1)


def _has_padding(node: Node) -> bool:
    """Whether some windows reach over the edge."""
    if node.op.tflite == "FULLY_CONNECTED":
        return False
    x, weights = node.inputs[0], node.inputs[1]
    assert x is not None and weights is not None
    pads = node.op.window(weights).pads(*x.shape[1:3])  # type: ignore[attr-defined]
    return any((pads.top, pads.left, pads.bottom, pads.right))


# --- what can be dropped --------------------------------------------------------------------------


def _dropped(graph: Graph, ranges: dict[int, _Range]) -> dict[int, Array]:
    """Return, by tensor, the channels to drop: the most that all makers and users agree on."""
    masks = {
        tensor.id: np.ones(_channels(tensor), bool)
        for node in graph.nodes
        for tensor in node.outputs
    }
    fixed = (*graph.inputs, *graph.outputs, *(state.tensor for state in graph.states))
    for tensor in fixed:
        masks[tensor.id] = np.zeros(_channels(tensor), bool)
    agreed = -1
    while True:
        before = sum(int(mask.sum()) for mask in masks.values())
        for node in graph.nodes:
            _agree(node, ranges, masks)
        after = sum(int(mask.sum()) for mask in masks.values())
        if after == agreed:
            return {name: mask for name, mask in masks.items() if mask.any()}
        if after == before:
            agreed = after
            for mask in masks.values():
                _keep_whole_groups(mask)


def _keep_whole_groups(mask: Array) -> None:
    """Keep so many channels that kernels find whole groups, and never none."""
    kept = int((~mask).sum())
    wanted = max(1, -(-kept // GROUP)) * GROUP
    if mask.any():
        mask[np.flatnonzero(mask)[: wanted - kept]] = False


def _agree(node: Node, ranges: dict[int, _Range], masks: dict[int, Array]) -> None:
    """Take back what a node cannot do without."""
    if not _is_followed(node):
        for tensor in (*node.activations, *node.outputs):
            masks[tensor.id][:] = False
    elif node.op.tflite in MIXING:
        x = node.activations[0]
        masks[x.id] &= _absorbed(node, x, ranges[x.id])
    else:
        tensors = (*node.activations, *node.outputs)
        if len({len(masks[tensor.id]) for tensor in tensors}) > 1:
            both = np.zeros(1, bool)  # a view under another shape: its channels are not these
        else:
            both = np.logical_and.reduce([masks[tensor.id] for tensor in tensors])
        for tensor in tensors:
            masks[tensor.id] &= both


def _absorbed(node: Node, x: Tensor, of: _Range) -> Array:
    """Return which channels of ``x`` a mixing node can do without, by its bias or at all."""
    weights = node.inputs[1]
    assert weights is not None
    channels = len(of.low)
    taps = _taps(node, weights)
    if taps.shape[1] % channels:
        return np.zeros(channels, bool)
    is_unused = ~taps.reshape(-1, channels).any(axis=0)
    is_known = of.is_constant
    if _has_padding(node):
        is_known = is_known & (of.low == x.zero_point)
    absorbed: Array = is_unused | is_known
    return absorbed


# --- dropping -------------------------------------------------------------------------------------


class _Slimming:
    """Rewrites the nodes without the dropped channels."""

    def __init__(self, graph: Graph, ranges: dict[int, _Range], dropped: dict[int, Array]) -> None:
        self._graph, self._ranges, self._dropped = graph, ranges, dropped
        self._next_id = fresh_id(graph)

    def run(self) -> Graph:
        """Return the slimmer graph."""
        return replace(self._graph, nodes=tuple(self._node(node) for node in self._graph.nodes))

    def _node(self, node: Node) -> Node:
        inputs = list(node.inputs)
        if node.op.tflite in (*MIXING, "DEPTHWISE_CONV_2D") and _is_followed(node):
            inputs[1:3] = self._weights(node)
        slim = tuple(None if tensor is None else self._slim(tensor) for tensor in inputs)
        return replace(node, inputs=slim, outputs=tuple(map(self._slim, node.outputs)))

    def _slim(self, tensor: Tensor) -> Tensor:
        """Return a tensor without its dropped channels."""
        mask = self._dropped.get(tensor.id)
        if mask is None or tensor.data is not None:
            return tensor
        kept = int((~np.resize(mask, tensor.shape[-1])).sum())
        return replace(tensor, shape=(*tensor.shape[:-1], kept))

    def _weights(self, node: Node) -> tuple[Tensor, Tensor]:
        """Return filter and bias without what is dropped, the bias with what that added."""
        x, weights, bias = (*node.inputs, None)[:3]
        assert x is not None and weights is not None and weights.data is not None
        out_mask = self._dropped.get(node.outputs[0].id)
        in_mask = self._dropped.get(x.id)
        is_depthwise = node.op.tflite == "DEPTHWISE_CONV_2D"
        channels = weights.shape[3 if is_depthwise else 0]
        biases = np.zeros(channels, np.int64)
        if bias is not None and bias.data is not None:
            biases = bias.data.astype(np.int64)
        data = weights.data
        if in_mask is not None and not is_depthwise:
            taps = _taps(node, weights).reshape(-1, *(data.shape[1:]))
            values = np.where(in_mask, self._ranges[x.id].low - x.zero_point, 0)
            along = np.resize(values, data.shape[-1])
            biases = biases + (taps * along).reshape(channels, -1).sum(axis=1)
            data = data[..., ~np.resize(in_mask, data.shape[-1])]
        quant = weights.quant
        if out_mask is not None:
            data = data[..., ~out_mask] if is_depthwise else data[~out_mask]
            biases = biases[~out_mask]
            if quant is not None and len(quant.scale) > 1:
                pairs = zip(quant.scale, quant.zero_point, out_mask, strict=True)
                kept = [(scale, zero) for scale, zero, is_out in pairs if not is_out]
                quant = replace(
                    quant, scale=tuple(s for s, _ in kept), zero_point=tuple(z for _, z in kept)
                )
        wrapped = ((biases + 2**31) % 2**32 - 2**31).astype(np.int32)
        self._next_id += 2
        slim = replace(
            weights,
            id=self._next_id,
            shape=data.shape,
            quant=quant,
            data=np.ascontiguousarray(data),
        )
        base = bias or Tensor(0, "bias", (), DType.INT32)
        return slim, replace(
            base, id=self._next_id + 1, shape=wrapped.shape, dtype=DType.INT32, data=wrapped
        )
