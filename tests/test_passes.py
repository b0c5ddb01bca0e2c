"""Passes change how a graph is computed, never what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_memory import Fake, Planned, graphs
from tinysim.compiler.graph import Array, DType, Graph, Node, Quant, Tensor, defects
from tinysim.compiler.ops import Inputs, Operator, operator_class
from tinysim.compiler.ops.add import Add
from tinysim.compiler.ops.conv_2d import Conv2D
from tinysim.compiler.ops.depthwise_conv_2d import DepthwiseConv2D
from tinysim.compiler.ops.fully_connected import FullyConnected
from tinysim.compiler.ops.mul import Mul
from tinysim.compiler.ops.pad import Pad
from tinysim.compiler.ops.relu import Relu
from tinysim.compiler.ops.reshape import Reshape
from tinysim.compiler.ops.transpose import Transpose
from tinysim.compiler.passes import run_passes
from tinysim.compiler.passes.move_transposes import move_transposes
from tinysim.compiler.passes.reorder import reorder
from tinysim.compiler.reference import run_reference

examples = settings(deadline=None, max_examples=60)


class Maker:
    """Builds a graph node by node; every tensor gets the next id."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Node] = []
        self.count = 0

    def tensor(
        self, shape: tuple[int, ...], dtype: DType = DType.FLOAT32, **more: object
    ) -> Tensor:
        self.count += 1
        return Tensor(self.count, f"t{self.count}", shape, dtype, **more)  # type: ignore[arg-type]

    def constant(self, data: Array, quant: Quant | None = None) -> Tensor:
        return self.tensor(data.shape, DType(data.dtype.name), quant=quant, data=data)

    def floats(self, *shape: int) -> Tensor:
        return self.constant(self.rng.normal(size=shape).astype(np.float32))

    def node(self, op: Operator, inputs: Inputs, shape: tuple[int, ...]) -> Tensor:
        assert inputs[0] is not None
        out = self.tensor(shape, inputs[0].dtype, quant=inputs[0].quant)
        assert list(op.problems(inputs, (out,))) == []
        self.nodes.append(Node(out.name, op, inputs, (out,)))
        return out

    def turn(self, x: Tensor, *axes: int) -> Tensor:
        order = self.constant(np.array(axes, np.int32))
        return self.node(Transpose(), (x, order), tuple(x.shape[axis] for axis in axes))

    def graph(self, inputs: tuple[Tensor, ...], *outputs: Tensor) -> Graph:
        return Graph("made", "", tuple(self.nodes), inputs, outputs)


def names(graph: Graph) -> list[str]:
    return [node.op.tflite for node in graph.nodes]


def assert_same(before: Graph, after: Graph, *, exact: bool = True) -> None:
    rng = np.random.default_rng(7)
    for _ in range(3):
        values = tuple(
            rng.normal(size=t.shape).astype(np.float32)
            if t.dtype is DType.FLOAT32
            else rng.integers(-128, 128, t.shape).astype(np.int8)
            for t in before.inputs
        )
        for a, b in zip(run_reference(before, values), run_reference(after, values), strict=True):
            if exact:
                np.testing.assert_array_equal(a, b)
            else:
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_batch_norm_activation_and_padding_go_into_the_convolution() -> None:
    make = Maker()
    x = make.tensor((1, 6, 5, 3))
    amounts = make.constant(np.array([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32))
    y = make.node(Pad(), (x, amounts), (1, 9, 6, 3))
    filter_ = make.floats(4, 3, 3, 3)
    y = make.node(Conv2D("VALID", 1, 1, 1, 1, "NONE"), (y, filter_, None), (1, 7, 4, 4))
    y = make.node(Mul("NONE"), (y, make.floats(4)), y.shape)
    y = make.node(Add("NONE"), (y, make.floats(1, 1, 1, 4)), y.shape)
    y = make.node(Relu(), (y,), y.shape)
    graph = make.graph((x,), y)
    changed = run_passes(graph)
    assert names(changed) == ["CONV_2D"]
    assert_same(graph, changed, exact=False)


def test_scale_of_what_is_used_twice_stays() -> None:
    make = Maker()
    x = make.tensor((1, 4, 4, 2))
    y = make.node(Conv2D("SAME", 1, 1, 1, 1, "NONE"), (x, make.floats(2, 1, 1, 2), None), x.shape)
    z = make.node(Mul("NONE"), (y, make.floats(2)), y.shape)
    graph = make.graph((x,), make.node(Add("NONE"), (y, z), y.shape))
    changed = run_passes(graph)
    assert names(changed) == ["CONV_2D", "MUL", "ADD"]
    assert_same(graph, changed)


def nchw_block(make: Maker, x: Tensor, channels: int) -> Tensor:
    """Return a convolution of an NCHW tensor as readers write it: turned, computed, turned back."""
    y = make.turn(x, 0, 2, 3, 1)
    filter_ = make.floats(channels, 3, 3, y.shape[3])
    shape = (*y.shape[:3], channels)
    y = make.node(Conv2D("SAME", 1, 1, 1, 1, "NONE"), (y, filter_, None), shape)
    return make.turn(y, 0, 3, 1, 2)


def test_transposes_of_a_residual_network_cancel() -> None:
    make = Maker()
    x = make.tensor((1, 1, 6, 5))
    first = make.node(Relu(), (nchw_block(make, x, 4),), (1, 4, 6, 5))
    second = nchw_block(make, first, 4)
    y = make.node(Add("NONE"), (first, second), first.shape)
    y = make.node(Mul("NONE"), (y, make.floats(4, 1, 1)), y.shape)
    y = make.node(Reshape(), (y,), (1, 120))
    y = make.node(FullyConnected("NONE", 0), (y, make.floats(7, 120), None), (1, 7))
    graph = make.graph((x,), y)
    changed = run_passes(graph)
    assert "TRANSPOSE" not in names(changed)
    assert_same(graph, changed, exact=False)


def test_transposes_that_do_not_cancel_are_made_once() -> None:
    make = Maker()
    x = make.tensor((2, 3, 4))
    turned = make.turn(x, 2, 0, 1)
    again = make.turn(turned, 2, 0, 1)
    graph = make.graph((x,), again, make.node(Relu(), (turned,), turned.shape))
    changed = move_transposes(graph)
    assert not list(defects(changed))
    assert names(changed).count("TRANSPOSE") == 2
    assert_same(graph, changed)


@examples
@given(data=st.data())
def test_any_chain_of_transposes_means_the_same(data: st.DataObject) -> None:
    make = Maker()
    x = make.tensor(data.draw(st.tuples(*[st.integers(1, 3)] * 4)))
    y = x
    for _ in range(data.draw(st.integers(1, 6))):
        kind = data.draw(st.sampled_from(["turn", "turn", "relu", "add", "scale", "pad", "mean"]))
        if kind == "turn":
            y = make.turn(y, *data.draw(st.permutations(range(4))))
        elif kind == "relu":
            y = make.node(Relu(), (y,), y.shape)
        elif kind == "add":
            y = make.node(Add("NONE"), (y, y), y.shape)
        elif kind == "scale":
            shape = tuple(size if data.draw(st.booleans()) else 1 for size in y.shape)
            y = make.node(Mul("NONE"), (y, make.floats(*shape)), y.shape)
        elif kind == "pad":
            amounts = np.array(data.draw(st.tuples(*[st.tuples(*[st.integers(0, 1)] * 2)] * 4)))
            shape = tuple((np.array(y.shape) + amounts.sum(axis=1)).tolist())
            y = make.node(Pad(), (y, make.constant(amounts.astype(np.int32))), shape)
        else:
            cls = operator_class("MEAN")
            assert cls is not None
            axis = data.draw(st.integers(0, 3))
            shape = tuple(1 if i == axis else size for i, size in enumerate(y.shape))
            op = cls.from_tflite({"KeepDims": True})
            y = make.node(op, (y, make.constant(np.array([axis], np.int32))), shape)
    if not make.nodes:
        return
    graph = make.graph((x,), y)
    changed = move_transposes(graph)
    assert not list(defects(changed))
    assert_same(graph, changed, exact=False)


SCALE = Quant((0.05,), (-128,))


def int8_network(seed: int, kinds: list[str], dead_share: float) -> Graph:
    """Convolutions with RELU whose biases push many channels below zero for every input."""
    make = Maker(seed)
    x = make.tensor((1, 7, 6, 3), DType.INT8, quant=SCALE)
    y = x
    for kind in kinds:
        channels = 8
        size = y.shape[1:3]
        if kind == "depthwise":
            channels = y.shape[3]
            shape: tuple[int, ...] = (1, 3, 3, channels)
            op: Operator = DepthwiseConv2D("SAME", 1, 1, 1, 1, "RELU6")
        elif kind == "pointwise":
            shape, op = (channels, 1, 1, y.shape[3]), Conv2D("SAME", 1, 1, 1, 1, "RELU6")
        else:
            shape, op = (channels, 3, 3, y.shape[3]), Conv2D("SAME", 1, 1, 1, 1, "RELU")
        weights = make.rng.integers(-127, 128, shape).astype(np.int8)
        bias = make.rng.integers(-3000, 3000, channels)
        dead = make.rng.random(channels) < dead_share
        bias = np.where(dead, -2_000_000, bias).astype(np.int32)
        tensors = (y, make.constant(weights, Quant((0.004,), (0,))), make.constant(bias))
        y = make.node(op, tensors, (1, *size, channels))
    y = make.node(Reshape(), (y,), (1, y.elements))
    weights = make.rng.integers(-127, 128, (5, y.elements)).astype(np.int8)
    last = make.constant(make.rng.integers(-500, 500, 5).astype(np.int32))
    tensors = (y, make.constant(weights, Quant((0.001,), (0,))), last)
    return make.graph((x,), make.node(FullyConnected("NONE", 0), tensors, (1, 5)))


@examples
@given(
    seed=st.integers(0, 2**31),
    kinds=st.lists(st.sampled_from(["full", "depthwise", "pointwise"]), min_size=1, max_size=5),
    dead_share=st.sampled_from([0.0, 0.3, 0.6, 1.0]),
)
def test_dropping_constant_channels_changes_no_bit(
    seed: int, kinds: list[str], dead_share: float
) -> None:
    graph = int8_network(seed, kinds, dead_share)
    changed = run_passes(graph)
    assert_same(graph, changed)
    assert_same(graph, run_passes(graph, keeps_constant_channels=True))


def test_constant_channels_are_told_with_their_share_and_can_be_kept() -> None:
    graph = int8_network(3, ["full", "depthwise", "pointwise"], 0.6)
    slim, whole = run_passes(graph), run_passes(graph, keeps_constant_channels=True)

    def macs(each: Graph) -> int:
        return sum(node.op.macs(node.inputs, node.outputs) for node in each.nodes)

    assert macs(slim) < macs(whole) == macs(graph)
    assert any("channels: constant for every input" in what for what in slim.removed)
    assert not any("constant" in what for what in whole.removed)


@examples
@given(planned=graphs())
def test_another_order_keeps_all_nodes_and_needs_no_more(planned: Planned) -> None:
    graph = planned[0]
    changed = reorder(graph)
    assert not list(defects(changed))
    assert {id(node) for node in changed.nodes} == {id(node) for node in graph.nodes}


def test_branches_run_one_after_the_other_where_that_needs_less() -> None:
    sizes = [10, 1000, 10, 1000, 10, 20]
    x, wide1, thin1, wide2, thin2, out = (
        Tensor(i, "", (size,), DType.INT8) for i, size in enumerate(sizes)
    )
    edges = [((x,), wide1), ((x,), wide2), ((wide1,), thin1), ((wide2,), thin2)]
    nodes = tuple(Node(f"n{i}", Fake(), read, (to,)) for i, (read, to) in enumerate(edges))
    last = Node("last", Fake(), (thin1, thin2), (out,))
    graph = Graph("branches", "", (*nodes, last), (x,), (out,))
    assert [node.name for node in reorder(graph).nodes] == ["n0", "n2", "n1", "n3", "last"]


@pytest.mark.parametrize("runtime", ["tflm", "litert"])
def test_rounding_is_that_of_the_runtime(runtime: str) -> None:
    from tinysim.compiler.passes.rounding import ROUNDINGS, with_rounding

    graph = with_rounding(int8_network(1, ["full"], 0.0), runtime)
    ops = [node.op for node in graph.nodes if isinstance(node.op, FullyConnected)]
    assert [op.rounding for op in ops] == [ROUNDINGS[runtime]]
    assert replace(ops[0], rounding="double") == FullyConnected("NONE", 0)
