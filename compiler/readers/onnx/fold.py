"""DequantizeLinear -> operator -> QuantizeLinear becomes one quantized operator.

The same groups as in ONNX Runtime's CPU provider: dequantization sinks below what only moves
numbers and quantization rises above it, and what stands between the two then is joined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from tinysim.compiler.graph import Array, Quant
from tinysim.compiler.readers.onnx.layer import signed
from tinysim.compiler.readers.onnx.registry import MICROSOFT
from tinysim.compiler.readers.onnx.source import Source, SourceNode

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
#: Operators that compute nothing, which ONNX Runtime moves quantization across.
MOVERS = {"MaxPool", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}
#: Operators that take bytes as they are, if input and output are quantized alike.
BYTES = MOVERS | {"Expand", "Flatten", "Gather", "Resize", "Tile"}
UNARY = {
    "AveragePool": "QLinearAveragePool",
    "GlobalAveragePool": "QLinearGlobalAveragePool",
    "LeakyRelu": "QLinearLeakyRelu",
    "Sigmoid": "QLinearSigmoid",
    "Softmax": "QLinearSoftmax",
}
BINARY = {"Add": "QLinearAdd", "Mul": "QLinearMul"}
#: Mark of what ONNX Runtime computes on bytes without a sign, whatever the file has: on x86 it
#: turns what one node quantizes and one dequantizes. It decides the last bit of float32 sums.
AS_UNSIGNED = "\0unsigned"


@dataclass
class _Graph:
    """The nodes by what they write, and how often every value is read."""

    source: Source
    nodes: list[SourceNode]
    writer: dict[str, SourceNode] = field(init=False)
    uses: Counter[str] = field(init=False)

    def __post_init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Take out what nothing needs, and count again."""
        needed = set(self.source.outputs)
        kept = []
        for node in reversed(self.nodes):
            if needed.isdisjoint(node.outputs):
                continue
            needed.update(node.inputs)
            kept.append(node)
        self.nodes = kept[::-1]
        self.writer = {key: node for node in self.nodes for key in node.outputs if key}
        self.uses = Counter(key for node in self.nodes for key in node.inputs if key)
        self.uses.update(self.source.outputs)

    def dequantized(self, key: str) -> SourceNode | None:
        """Return the DequantizeLinear that writes a value, if its parameters are constant."""
        node = self.writer.get(key)
        return node if node is not None and self.is_plain(node, DEQUANTIZE) else None

    def is_plain(self, node: SourceNode, kind: str) -> bool:
        """Tell whether a node is of ``kind``, with constant parameters of bytes."""
        if node.kind != kind or node.domain or len(node.inputs) not in (2, 3):
            return False
        return all(key in self.source.constants for key in node.inputs[1:] if key)

    def parameters(self, node: SourceNode) -> tuple[Array, Array]:
        """Return scale and zero point."""
        scale = self.source.constants[node.inputs[1]]
        if len(node.inputs) > 2 and node.inputs[2]:
            return scale, self.source.constants[node.inputs[2]]
        return scale, np.zeros(scale.shape, np.uint8)

    def is_scalar(self, node: SourceNode) -> bool:
        """Tell whether a quantization is of one scale, of bytes."""
        scale, zero = self.parameters(node)
        return scale.size == 1 and zero.size == 1 and zero.dtype in (np.uint8, np.int8)

    def same(self, a: SourceNode, b: SourceNode) -> bool:
        """Tell whether two nodes quantize alike."""
        (scale, zero), (scale2, zero2) = self.parameters(a), self.parameters(b)
        return (
            zero.dtype == zero2.dtype
            and np.array_equal(scale.ravel(), scale2.ravel())
            and np.array_equal(zero.ravel(), zero2.ravel())
        )


def fold(source: Source) -> tuple[SourceNode, ...]:
    """Return the nodes that are needed, quantized groups joined."""
    if len({key for node in source.nodes for key in node.outputs}) != sum(
        len(set(node.outputs)) for node in source.nodes
    ):
        return source.nodes  # the builder says which value is written twice
    graph = _Graph(source, list(source.nodes))
    if any(node.kind in (QUANTIZE, DEQUANTIZE) for node in graph.nodes):
        _sink(graph)
        _rise(graph)
        _join(graph)
    return tuple(graph.nodes)


def _sink(graph: _Graph) -> None:
    """Move every dequantization below what only moves numbers."""
    made: dict[str, SourceNode] = {}
    nodes: list[SourceNode] = []
    for node in graph.nodes:
        first = node.inputs[0] if node.inputs else ""
        above = made.get(first) or graph.dequantized(first)
        is_mover = node.kind in MOVERS and not node.domain and len(node.outputs) == 1
        is_old_pool = node.kind == "MaxPool" and graph.source.opset < 12
        if (
            not is_mover
            or is_old_pool
            or above is None
            or not graph.is_scalar(above)
            or above.inputs[0] in graph.source.constants
        ):
            nodes.append(node)
            continue
        out = node.outputs[0]
        inner = f"{out}\0bytes"
        nodes.append(replace(node, inputs=(above.inputs[0], *node.inputs[1:]), outputs=(inner,)))
        made[out] = replace(above, inputs=(inner, *above.inputs[1:]), outputs=(out,))
        nodes.append(made[out])
    graph.nodes = nodes
    graph.refresh()


def _rise(graph: _Graph) -> None:
    """Move every quantization above what only moves numbers."""
    changed: dict[int, list[SourceNode]] = {}
    dropped: set[int] = set()
    position = {id(node): place for place, node in enumerate(graph.nodes)}
    nodes: list[SourceNode | None] = list(graph.nodes)
    for place in range(len(nodes) - 1, -1, -1):
        node = nodes[place]
        if node is None or not graph.is_plain(node, QUANTIZE) or not graph.is_scalar(node):
            continue
        before: list[SourceNode] = []
        current = node
        while True:
            mover = graph.writer.get(current.inputs[0])
            if (
                mover is None
                or mover.kind not in MOVERS
                or mover.domain
                or len(mover.outputs) != 1
                or graph.uses[mover.outputs[0]] != 1
                or id(mover) not in position
                or (mover.kind == "MaxPool" and graph.source.opset < 12)
                or mover.inputs[0] in graph.source.constants
                or graph.dequantized(mover.inputs[0]) is not None
            ):
                break
            inner = f"{mover.outputs[0]}\0bytes"
            before.append(
                replace(mover, inputs=(inner, *mover.inputs[1:]), outputs=current.outputs)
            )
            current = replace(
                current, inputs=(mover.inputs[0], *current.inputs[1:]), outputs=(inner,)
            )
            dropped.add(position[id(mover)])
        if before:
            changed[place] = [current, *reversed(before)]
    graph.nodes = [
        one
        for place, node in enumerate(graph.nodes)
        for one in changed.get(place, [] if place in dropped else [node])
    ]
    graph.refresh()


def _join(graph: _Graph) -> None:
    """Replace each operator between dequantization and quantization by a quantized one."""
    joined: dict[int, SourceNode] = {}
    dropped: set[int] = set()
    for node in graph.nodes:
        if not graph.is_plain(node, QUANTIZE) or not graph.is_scalar(node):
            continue
        target = graph.writer.get(node.inputs[0])
        if target is not None and graph.is_plain(target, DEQUANTIZE) and graph.same(target, node):
            joined[id(node)] = replace(node, kind="Identity", inputs=target.inputs[:1])
            continue
        if target is None or graph.uses[node.inputs[0]] != 1:
            continue
        passed = []
        if (
            target.kind in ("Relu", "Clip")
            and not target.domain
            and _is_redundant(graph, target, node)
        ):
            below = graph.writer.get(target.inputs[0])
            if below is None or graph.uses[target.inputs[0]] != 1 or len(below.outputs) != 1:
                continue
            passed, target = [target], below
        if target.domain or len(target.outputs) != 1:
            continue
        made = _quantized(graph, target, node)
        if made is not None and not (passed and made.kind in BYTES):
            if graph.uses[node.outputs[0]] == 1 and node.outputs[0] not in graph.source.outputs:
                made = replace(made, attributes={**made.attributes, AS_UNSIGNED: 1})
            joined[id(node)] = made
            dropped |= {id(target), *(id(one) for one in passed)}
    graph.nodes = [joined.get(id(node), node) for node in graph.nodes if id(node) not in dropped]
    graph.refresh()


def _quantized(graph: _Graph, target: SourceNode, q: SourceNode) -> SourceNode | None:
    """Return the quantized form of ``target``, which writes what ``q`` writes."""
    above = [graph.dequantized(key) for key in target.inputs if key]
    if not above or above[0] is None or not graph.is_scalar(above[0]):
        return None
    byte = graph.parameters(q)[1].dtype
    if graph.parameters(above[0])[1].dtype != byte:
        return None
    dqs = [dq for dq in above if dq is not None]
    out = _triple(q)[1:]
    kind, x = target.kind, _triple(dqs[0])

    def made(name: str, inputs: Iterable[str], domain: str = "") -> SourceNode:
        return replace(target, kind=name, domain=domain, inputs=tuple(inputs), outputs=q.outputs)

    if kind in BYTES and len(dqs) == 1 and graph.same(dqs[0], q):
        return made(kind, (x[0], *target.inputs[1:]))
    if len(dqs) != len(above):
        return None
    types = [graph.parameters(dq)[1].dtype for dq in dqs]
    if kind in UNARY and len(dqs) == 1:
        extra = {"opset": graph.source.opset} if kind == "Softmax" else {}
        node = made(UNARY[kind], (*x, *out), MICROSOFT)
        return replace(node, attributes={**target.attributes, **extra})
    if kind == "Concat" and set(types) == {byte}:
        return made("QLinearConcat", (*out, *(key for dq in dqs for key in _triple(dq))), MICROSOFT)
    if kind in BINARY and len(dqs) == 2 and types[1] == byte:
        return made(BINARY[kind], (*x, *_triple(dqs[1]), *out), MICROSOFT)
    if len(dqs) < 2 or (byte == np.int8 and types[1] != byte):
        return None
    is_biased = len(dqs) == 3 and types[2] == np.int32
    if kind == "Conv" and (len(dqs) == 2 or is_biased):
        bias = [dqs[2].inputs[0]] if is_biased else []
        return made("QLinearConv", (*x, *_triple(dqs[1]), *out, *bias))
    if kind == "MatMul" and len(dqs) == 2:
        return made("QLinearMatMul", (*x, *_triple(dqs[1]), *out))
    if kind == "Gemm" and (len(dqs) == 2 or is_biased):
        if is_biased and target.attributes.get("beta", 1.0) != 1.0:
            return None
        bias = [dqs[2].inputs[0]] if is_biased else [""]
        return made("QGemm", (*x, *_triple(dqs[1]), *bias, *out), MICROSOFT)
    return None


def _triple(node: SourceNode) -> tuple[str, str, str]:
    """Return value, scale and zero point of a node, the last empty if it is left out."""
    return (*node.inputs, "")[:3]  # type: ignore[return-value]


def _is_redundant(graph: _Graph, clip: SourceNode, q: SourceNode) -> bool:
    """Tell whether quantization limits to no more than ``clip`` does."""
    scale, zero = graph.parameters(q)
    limits = np.iinfo(zero.dtype)
    least = (limits.min - int(zero.ravel()[0])) * float(scale.ravel()[0])
    most = (limits.max - int(zero.ravel()[0])) * float(scale.ravel()[0])
    if clip.kind == "Relu":
        return least >= 0
    constants = graph.source.constants
    low, high = clip.attributes.get("min", -np.inf), clip.attributes.get("max", np.inf)
    for index, key in enumerate(clip.inputs[1:3]):
        if key and (key not in constants or constants[key].size != 1):
            return False
        if key:
            number = float(constants[key].ravel()[0])
            low, high = (number, high) if index == 0 else (low, number)
    return bool(low <= least and most <= high)


def quantizations(nodes: Iterable[SourceNode], constants: Mapping[str, Array]) -> dict[str, Quant]:
    """Return the quantization of bytes that the first node states which reads or writes them."""
    found: dict[str, Quant] = {}
    for node in nodes:
        for value, scale, zero in _stated(node):
            scales, zeros = constants.get(scale), constants.get(zero)
            if value in found or scales is None or scales.size != 1 or scales.dtype.kind != "f":
                continue
            zeros = np.zeros(1, np.uint8) if zeros is None else zeros
            number = float(scales.ravel()[0])
            if zeros.size == 1 and zeros.dtype in (np.uint8, np.int8) and 0 < number < np.inf:
                found[value] = signed((number,), zeros.ravel().tolist(), zeros.dtype == np.uint8)
    return found


def _stated(node: SourceNode) -> list[tuple[str, str, str]]:
    """Return value, scale and zero point of what a quantized node reads or writes."""
    inputs = (*node.inputs, "", "", "")
    if node.kind == DEQUANTIZE or node.kind.startswith("QLinear") or node.kind == "QGemm":
        start = 2 if node.kind == "QLinearConcat" else 0
        return [(inputs[start], inputs[start + 1], inputs[start + 2])]
    return []
