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
    float32,
    fully_connected,
    int8,
)
from tinysim.compiler.emit import emit_c
from tinysim.compiler.graph import Array
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


WIDEN = OperatorSpec("DEQUANTIZE", [1], [2], {})
ADDED = OperatorSpec("ADD", [0, 2], [3], {})
HALVES = constant(np.array([[1, -2, 0.5, 65504]], np.float16))


def test_operator_codes_may_stand_in_the_wide_field_alone() -> None:
    """An operator whose code is 0 in both, ADD, too."""
    x, y = float32((1, 4)), constant(np.ones((1, 4), np.float32))
    softmax = OperatorSpec("SOFTMAX", [2], [3], {"Beta": 1.0})
    operators = [OperatorSpec("ADD", [0, 1], [2], {}), softmax]
    for has_narrow_codes in (True, False):
        blob = build_model([x, y, x, x], operators, [0], [3], has_narrow_codes=has_narrow_codes)
        nodes = tflite.read(blob, "x", "0" * 64, "x.tflite").nodes
        assert [node.op.tflite for node in nodes] == ["ADD", "SOFTMAX"]


@pytest.mark.parametrize(
    ("stored", "real"),
    [
        (HALVES, [[1, -2, 0.5, 65504]]),
        (constant(np.array([[1, -2, 3, -128]], np.int8), (0.5,)), [[0.5, -1, 1.5, -64]]),
        (constant(np.array([[1, -2, 3, 4]], np.int8), (1, 2, 3, 4), 1), [[1, -4, 9, 16]]),
        (replace(constant(np.array([[0, 2, 3, 255]], np.uint8), (0.5,)), zero_points=(2,)),
         [[-1, 0, 0.5, 126.5]]),
    ],
    ids=["float16", "int8", "int8 a channel", "uint8"],
)  # fmt: skip
def test_what_is_stored_short_becomes_floats(stored: TensorSpec, real: Array) -> None:
    x = float32((1, 4))
    graph = tflite.read(build_model([x, stored, x, x], [WIDEN, ADDED], [0], [3]), "x", "0", "x")
    (node,) = graph.nodes
    added = node.inputs[1]
    assert added is not None and added.data is not None and added.data.dtype == np.float32
    assert added.data.tolist() == real
    (note,) = graph.removed
    assert f"a constant of {stored.dtype} became float32, in flash, too" in note


@pytest.mark.parametrize(
    ("stored", "operators", "what"),
    [
        (
            replace(HALVES, data=None),
            [WIDEN, ADDED],
            "of type FLOAT16, which nothing here computes",
        ),
        (replace(HALVES, data=b"123"), [WIDEN, ADDED], "has 3 bytes of data, expected 8"),
        (replace(HALVES, shape=(4,)), [WIDEN, ADDED], "layer 0 (DEQUANTIZE"),
        (HALVES, [ADDED._replace(inputs=[0, 1])], "takes float16, which only DEQUANTIZE does"),
        (HALVES, [WIDEN._replace(outputs=[3])] * 2, "lacks inputs or outputs"),
        (constant(np.ones((1, 4), np.int8), (1, 2, 3), 1), [WIDEN, ADDED], "needs per-tensor"),
        (constant(np.ones((1, 4), np.int8)), [WIDEN, ADDED], "needs per-tensor"),
    ],
)
def test_what_is_stored_short_and_means_nothing_is_named(
    stored: TensorSpec, operators: list[OperatorSpec], what: str
) -> None:
    x = float32((1, 4))
    assert what in refusal(build_model([x, stored, x, x], operators, [0], [3]))


def test_one_constant_that_is_widened_over_and_over_is_refused() -> None:
    stored, x = constant(np.ones((100, 1000), np.int8), (1.0,)), float32((100, 1000))
    widened = [WIDEN._replace(outputs=[2 + index]) for index in range(40)]
    assert "again and again" in refusal(build_model([x, stored, *[x] * 40], widened, [0], [41]))


def test_hybrid_layers_have_float_weights_and_say_so() -> None:
    weights = constant(np.array([[1, 2], [3, -4]], np.int8), (0.5, 2.0))
    blob = fully_connected(float32((1, 2)), weights, None, float32((1, 2)))
    graph = tflite.read(blob, "x", "0", "x")
    read_weights = graph.nodes[0].inputs[1]
    assert read_weights is not None and read_weights.data is not None
    assert read_weights.data.tolist() == [[0.5, 1], [6, -8]]
    (note,) = graph.removed
    assert "its integer weights became float32, in flash, too" in note
