"""Hostile and damaged model files: a graph or a ModelError, nothing else, and no name reaches C."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.tflite_models import (
    OperatorSpec,
    TensorSpec,
    build_model,
    constant,
    conv_2d,
    int8,
)
from tinysim.compiler.emit import emit_c
from tinysim.compiler.memory import plan_memory
from tinysim.compiler.passes import run_passes
from tinysim.compiler.readers import read_model, tflite
from tinysim.errors import ModelError, UnsupportedOperatorError

CONV = conv_2d(
    int8((1, 6, 6, 2)),
    constant(np.ones((3, 3, 3, 2), np.int8), (0.5,)),
    constant(np.zeros(3, np.int32), (0.25,)),
    int8((1, 4, 4, 3)),
)


def read(blob: bytes) -> None:
    """Read and compile as far as C, without writing it."""
    graph = run_passes(tflite.read(blob, "x", "0" * 64, "x.tflite"))
    plan_memory(graph, tuple(node.op.lower(node.inputs, node.outputs) for node in graph.nodes))


def refusal(blob: bytes) -> str:
    with pytest.raises(ModelError) as caught:
        read(blob)
    assert str(caught.value).startswith("x.tflite: ")
    return str(caught.value)


@pytest.mark.parametrize("blob", [b"", b"TFL3", bytes(64), b"\x1c\0\0\0TFL3", CONV[:200]])
def test_what_is_no_model_is_refused(blob: bytes) -> None:
    refusal(blob)


def test_missing_file_folder_and_suffix_are_named(tmp_path: Path) -> None:
    for path, what in (
        (tmp_path / "absent.tflite", "No such file"),
        (tmp_path / "model.docx", "no reader for the suffix '.docx'"),
    ):
        with pytest.raises(ModelError, match=what):
            read_model(path)
    (tmp_path / "folder.tflite").mkdir()
    with pytest.raises(ModelError, match="this is a folder, and no SavedModel"):
        read_model(tmp_path / "folder.tflite")


def test_all_unsupported_operators_are_listed_at_once() -> None:
    x = int8((1, 8))
    operators = [
        OperatorSpec("HASHTABLE_FIND", [0], [1], {}),
        OperatorSpec("MAX_POOL_2D", [1], [2], {"FilterHeight": 1, "FilterWidth": 1,
                                                "StrideH": 1, "StrideW": 1}),
        OperatorSpec("SPACE_TO_DEPTH", [2], [3], {}),
    ]  # fmt: skip
    with pytest.raises(UnsupportedOperatorError) as caught:
        read(build_model([x, x, x, x], operators, [0], [3]))
    text = str(caught.value)
    assert "layer 0 (HASHTABLE_FIND" in text and "operator HASHTABLE_FIND is not supported" in text
    assert "layer 2 (SPACE_TO_DEPTH" in text and "tinysim ops" in text
    assert "layer 1 (MAX_POOL_2D" in text and "must have 4 dimensions" in text


def test_dynamic_shapes_are_refused_but_not_an_exported_batch() -> None:
    x, out = int8((1, 4)), int8((1, 4))
    dynamic = replace(x, shape=(1, 1), signature=(-1, -1))
    assert "dynamic shape [-1, -1]" in refusal(
        build_model([dynamic, out], [OperatorSpec("RESHAPE", [0], [1], {})], [0], [1])
    )
    scale = 1 / 256
    batch = replace(x, signature=(-1, 4))
    probabilities = int8((1, 4), scale, -128)
    operators = [OperatorSpec("SOFTMAX", [0], [1], {"Beta": 1.0})]
    read(build_model([batch, probabilities], operators, [0], [1]))


@pytest.mark.parametrize(
    ("tensor", "what"),
    [
        (replace(int8((1, 10)), dtype="float16"), "of type FLOAT16"),
        (replace(int8((1, 10)), dtype="int32"), "int32, the kernels take int8"),
        (replace(int8((1, 10)), scales=(float("nan"),)), "quantization that means nothing"),
        (replace(int8((1, 10)), scales=(-1.0,)), "quantization that means nothing"),
        (replace(int8((1, 10)), zero_points=(999,)), "zero point outside int8"),
        (replace(int8((1, 10)), shape=(2**16, 2**16)), "too large"),
        (replace(int8((1, 10)), shape=(1, 10**8)), "expected"),
        (replace(int8((1, 10)), data=b"\x01\x02\x03"), "has 3 bytes of data, expected 10"),
    ],
)
def test_tensor_that_makes_no_sense_is_named(tensor: TensorSpec, what: str) -> None:
    out = int8((1, 10), 1 / 256, -128)
    operators = [OperatorSpec("SOFTMAX", [0], [1], {"Beta": 1.0})]
    assert what in refusal(build_model([tensor, out], operators, [0], [1]))


def test_uneven_groups_and_zero_stride_are_refused() -> None:
    weights = constant(np.ones((3, 1, 1, 1), np.int8), (0.5,))
    bias = constant(np.zeros(3, np.int32), (0.25,))
    tensors = [int8((1, 4, 4, 2)), weights, bias, int8((1, 4, 4, 3))]
    options = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
    convolution = OperatorSpec("CONV_2D", [0, 1, 2], [3], options)
    assert "does not divide over groups" in refusal(build_model(tensors, [convolution], [0], [3]))
    still = convolution._replace(options={**options, "StrideH": 0})
    assert "stride_h is 0" in refusal(build_model(tensors, [still], [0], [3]))


def test_broken_references_and_second_subgraphs_are_refused() -> None:
    x = int8((1, 4), 1 / 256, -128)
    soft = OperatorSpec("SOFTMAX", [0], [1], {"Beta": 1.0})
    assert "tensor 9 of 2" in refusal(build_model([x, x], [soft], [0], [9]))
    assert "tensor 7 of 2" in refusal(build_model([x, x], [soft._replace(inputs=[7])], [0], [1]))
    assert "holds 2 subgraphs" in refusal(build_model([x, x], [soft], [0], [1], subgraphs=2))
    assert "before anything has written it" in refusal(
        build_model([x, x, x], [soft._replace(inputs=[2])], [0], [1])
    )


@pytest.mark.parametrize(
    "name",
    [
        "*/ #include </etc/passwd> /*",
        "../../../tmp/evil",
        "line\nbreak\r\t\0nul",
        "\x1b[31mred\x1b[0m",
        "\u202egnp.exe \u2603",
        "x" * 10_000,
        b"\xff\xfe\x80 not utf-8",
    ],
)
def test_hostile_names_are_shown_safely_and_never_reach_c(name: str | bytes) -> None:
    tensors = [int8((1, 4), name=name), int8((1, 4), 1 / 256, -128, name=name)]
    blob = build_model(tensors, [OperatorSpec("SOFTMAX", [0], [1], {"Beta": 1.0})], [0], [1])
    graph = run_passes(tflite.read(blob, "x", "0" * 64, "x.tflite"))
    shown = graph.nodes[0].name
    assert shown.isprintable() and len(shown) <= 80
    calls = tuple(node.op.lower(node.inputs, node.outputs) for node in graph.nodes)
    sources = emit_c(graph, plan_memory(graph, calls), calls)
    marks = ("etc/passwd", "evil", "break", "31mred", "gnp.exe", "x" * 70, "not utf-8")
    assert not any(mark in text for mark in marks for text in sources.values())


def test_small_file_that_repeats_itself_is_refused_at_once() -> None:
    """Two thousand tensors that share one shape of twenty thousand dimensions."""
    long = replace(int8((1,)), shape=(1,) * 20_000)
    blob = build_model([long] * 2000, [OperatorSpec("ADD", (0, 1), (2,), {})], (0, 1), (2,))
    start = time.perf_counter()
    assert "dimensions" in refusal(blob)
    assert time.perf_counter() - start < 2
