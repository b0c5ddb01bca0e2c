"""Hostile and damaged ONNX files: a graph or a ModelError, nothing else."""

from __future__ import annotations

import sys
from typing import Any

import pytest

pytest.importorskip("onnx", reason="onnx is not installed: there is nothing to read with")

from tests.onnx_cases import CONV, ROW, X, floats, longs, real
from tests.onnx_models import build, node, with_external_data
from tinysim.compiler.graph import Graph
from tinysim.compiler.readers import onnx as reader
from tinysim.errors import ModelError


def read(model: bytes) -> Graph:
    return reader.read(model, "x", "0" * 64, "x.onnx")


def test_without_the_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    for name in [name for name in sys.modules if name.startswith(f"{reader.__name__}.")]:
        monkeypatch.delitem(sys.modules, name)
        monkeypatch.delattr(reader, name.rpartition(".")[2], raising=False)
    assert "pip install tinysim[onnx]" in refusal(b"")


def test_an_open_batch_is_one_and_another_open_dimension_is_named() -> None:
    nodes = [node("Relu", "x")]
    model = build(nodes, ROW, shapes={"x": ["batch", 12]})
    graph = read(model)
    assert graph.inputs[0].shape == (1, 12)
    assert graph.removed == ("open batch dimension batch of input x: compiled for one",)
    assert "dimension 1 is width" in refusal(build(nodes, ROW, shapes={"x": [2, "width"]}))


def refusal(model: bytes) -> str:
    with pytest.raises(ModelError) as caught:
        read(model)
    assert str(caught.value).startswith("x.onnx: ")
    return str(caught.value)


REFUSED: list[tuple[list[Any], str]] = [
    ([node("LSTM", "x w w")], "operator LSTM is not supported"),
    ([node("GRU", "x w w")], "operator GRU is not supported"),
    ([node("ConvInteger", "x w")], "operator ConvInteger is not supported"),
    ([node("MatMulInteger", "x w")], "operator MatMulInteger is not supported"),
    ([node("Relu", "gone")], "reads gone before anything has written it"),
    ([node("Relu", "y2"), node("Relu", "y", "y2")], "reads y2 before anything has written it"),
    ([node("Conv", "x x")], "is computed at run time, it must be a constant"),
    ([node("Conv", "x w", pads=[-1, 0, 0, 0])], "padding NOTSET [-1, 0, 0, 0]"),
    ([node("Conv", "x w", group=3)], "3 groups"),
    ([node("Conv", "x w", group="one")], "attribute group"),
    ([node("MaxPool", "x", kernel_shape=[2, 2], dilations=[2, 2])], "dilations have no kernel"),
    ([node("Pad", "x p", mode="edge")], "mode edge has no kernel"),
    ([node("Resize", "x - s", mode="cubic")], "mode cubic"),
    ([node("Transpose", "x", perm=[0, 1, 1, 2])], "permutation"),
    ([node("Reshape", "x p")], "copies a dimension that is not there"),
    ([node("Identity", "x", "t"), node("Relu", "t", "t"), node("Relu", "t")], "a second time"),
    ([node("Frobnicate", "x", "t"), node("Xyzzy", "t")], "Frobnicate is not supported"),
]


@pytest.mark.parametrize("case", REFUSED, ids=[case[1] for case in REFUSED])
def test_what_is_refused_is_named(case: tuple[list[Any], str]) -> None:
    nodes, what = case
    constants = {"w": real(6, 4, 3, 2), "p": longs(0, 0, 1, 1, 0, 0, 1, 1), "s": floats(1, 1, 2, 2)}
    assert what in refusal(build(nodes, X, constants))


def test_all_problems_are_listed_at_once() -> None:
    nodes = [node("Foo", "x", "a"), node("Bar", "x", "b"), node("Add", "a b")]
    text = refusal(build(nodes, X))
    assert "operator Foo" in text
    assert "operator Bar" in text


def test_subgraphs_are_refused() -> None:
    import onnx

    inner = onnx.helper.make_graph([node("Relu", "x")], "inner", [], [])
    nodes = [node("If", "x", then_branch=inner, else_branch=inner)]
    assert "If holds a graph: control flow is not read" in refusal(build(nodes, X))


def test_no_file_outside_is_read() -> None:
    text = refusal(with_external_data(build([node("Conv", "x w b")], X, CONV)))
    assert "its data is in another file" in text


@pytest.mark.parametrize("opset", [6, 22])
def test_other_operator_sets_are_refused(opset: int) -> None:
    assert f"operator set {opset}" in refusal(build([node("Relu", "x")], X, opset=opset))


@pytest.mark.parametrize("blob", [b"", b"\x08\x08", bytes(64), b"\xff" * 40])
def test_what_is_no_model_is_refused(blob: bytes) -> None:
    assert "not a readable ONNX file" in refusal(blob)


def test_a_small_file_does_not_fill_the_memory() -> None:
    nothing = b"\x0a\x00" * 1_000_000  # nodes of the graph, all empty
    assert "more than" in refusal(bytes([0x3A, *byte_of(len(nothing))]) + nothing)
    huge = [node("ConstantOfShape", "n", "c"), node("Add", "x c")]
    assert "unfolds to far more data" in refusal(build(huge, X, {"n": longs(2**14, 2**14)}))


def byte_of(number: int) -> list[int]:
    """Return a number as protobuf writes it: 7 bits a byte."""
    found = []
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return [*found, number]


def test_names_are_shown_printable_and_short() -> None:
    graph = read(
        build(
            [node("Relu", "x", "\x1b[31m" + "long" * 99)],
            X,
            outputs=[("\x1b[31m" + "long" * 99, "float32")],
        )
    )
    (out,) = graph.outputs
    assert out.name.isprintable()
    assert len(out.name) <= 80
