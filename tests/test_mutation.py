"""Damaged models: each is refused with a ModelError, or compiles and computes; what did not once.

A long run is started by hand, see ``tests/mutation.py``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from tests.conftest import DEMO_MODEL
from tests.mutation import CASES, MAX_SECONDS, accepted
from tests.tflite_models import (
    OperatorSpec,
    TensorSpec,
    add,
    build_model,
    constant,
    conv_2d,
    depthwise_conv_2d,
    float32,
    fully_connected,
    int8,
    mean,
    pad,
    pool_2d,
    reshape,
    single,
    softmax,
)
from tinysim.compiler.emit import emit_c
from tinysim.compiler.graph import DType, Graph, Node, Tensor
from tinysim.compiler.memory import plan_memory
from tinysim.compiler.ops.copy import Copy
from tinysim.compiler.passes import run_passes
from tinysim.compiler.readers import tflite
from tinysim.compiler.reference import Reference
from tinysim.errors import ModelError

CASES_EACH = 400


@cache
def tflite_seeds() -> tuple[bytes, ...]:
    x, square = int8((1, 6, 6, 2)), int8((1, 4, 4, 8))
    weights = constant(np.ones((3, 3, 3, 2), np.int8), (0.5,))
    bias = constant(np.zeros(3, np.int32), (0.25,))
    flat = constant(np.ones((4, 8), np.int8), (0.5,))
    axes = constant(np.array([0, 2, 1], np.int32))
    turned = (int8((2, 3, 4)), axes)
    return (
        conv_2d(x, weights, bias, int8((1, 4, 4, 3))),
        depthwise_conv_2d(
            x, constant(np.ones((1, 3, 3, 2), np.int8), (0.5,)), None, int8((1, 4, 4, 2))
        ),
        fully_connected(int8((2, 8)), flat, None, int8((2, 4)), activation="RELU"),
        pool_2d("AVERAGE_POOL_2D", square, window=(2, 2)),
        pool_2d("MAX_POOL_2D", square, window=(2, 3), padding="SAME"),
        add(int8((1, 8)), int8((1, 8), 0.25, 3), int8((1, 8))),
        pad(int8((1, 3, 3, 2)), ((0, 0), (1, 1), (1, 1), (0, 0))),
        mean(square, (1, 2), int8((1, 8))),
        softmax(int8((1, 10))),
        reshape(int8((2, 6)), (3, 4)),
        single("TRANSPOSE", turned, int8((2, 4, 3))),
        *(single(name, (int8((2, 5)),), int8((2, 5))) for name in ("RELU", "HARD_SWISH", "ABS")),
        *(single(name, (float32((2, 5)),), float32((2, 5))) for name in ("EXP", "TANH", "ELU")),
        *(
            single(name, (float32((2, 5)), float32((5,))), float32((2, 5)))
            for name in ("MUL", "SUB", "MAXIMUM", "SQUARED_DIFFERENCE")
        ),
        DEMO_MODEL.read_bytes(),
    )


@cache
def onnx_seeds() -> tuple[bytes, ...]:
    pytest.importorskip("onnx", reason="onnx is not installed: there is nothing to read with")
    from tests.onnx_cases import FLOAT, QDQ, ends, fake_quantized
    from tests.onnx_models import build

    plain = [build(nodes, inputs, made, opset=opset) for _, nodes, inputs, made, opset, _ in FLOAT]
    quantized = [fake_quantized([*nodes, *ends()], np.uint8)[0] for _, nodes, _ in QDQ]
    return (*plain, *quantized)


@pytest.mark.parametrize("suffix", ["tflite", "onnx"])
def test_damaged_models_are_refused_or_compute_in_bounded_time(suffix: str) -> None:
    seeds = tflite_seeds() if suffix == "tflite" else onnx_seeds()
    assert all(accepted(seed, suffix) for seed in seeds)
    taken, slowest_s = 0, 0.0
    for index in range(CASES_EACH):
        blob = CASES[suffix](seeds, random.Random(f"{suffix} {index}"))
        begun = time.monotonic()
        taken += accepted(blob, suffix)
        slowest_s = max(slowest_s, time.monotonic() - begun)
    assert 0 < taken < CASES_EACH
    assert slowest_s < MAX_SECONDS


def refusal(blob: bytes) -> str:
    with pytest.raises(ModelError) as caught:
        accepted(blob, "tflite")
        run_passes(read(blob))
    return str(caught.value)


def read(blob: bytes) -> Graph:
    return tflite.read(blob, "x", "0" * 64, "x.tflite")


# --- what once went wrong -------------------------------------------------------------------------


def test_an_output_too_many_is_refused() -> None:
    x = float32((2, 5))
    soft = OperatorSpec("LOG_SOFTMAX", [0], [1, 2], {})
    text = refusal(build_model([x, x, x], [soft], [0], [1, 2]))
    assert "has 2 outputs, expected 1" in text


def test_tensors_larger_than_any_board_are_refused_at_once() -> None:
    wide = int8((2**28 + 1,))
    axes = constant(np.array([0], np.int32))
    assert "too large" in refusal(single("REVERSE_V2", (wide, axes), wide))
    assert accepted(single("RELU", (int8((2**24,)),), int8((2**24,))), "tflite")


def test_an_arena_beyond_32_bits_is_refused() -> None:
    tensors = [Tensor(i, "t", (2**28,), DType.INT8) for i in range(12)]
    nodes = tuple(
        Node("copy", Copy(), (tensors[0],), (tensor,)) for tensor in tensors[1:]
    )  # all are outputs, so all must stay
    graph = Graph("big", "0" * 64, nodes, tuple(tensors[:1]), tuple(tensors[1:]))
    calls = tuple(node.op.lower(node.inputs, node.outputs) for node in nodes)
    with pytest.raises(ModelError, match="a 32-bit core reaches fewer"):
        plan_memory(graph, calls)


def test_parameters_beyond_32_bits_are_not_emitted() -> None:
    from dataclasses import replace

    graph = run_passes(read(softmax(int8((1, 10)))))
    calls = tuple(node.op.lower(node.inputs, node.outputs) for node in graph.nodes)
    plan = plan_memory(graph, calls)
    wide = replace(calls[0][0], params={**calls[0][0].params, "rows": 2**31})
    with pytest.raises(ModelError, match="2,147,483,648 as rows"):
        emit_c(graph, plan, ((wide,),))


@pytest.mark.parametrize("activation", ["RELU", "RELU6"])
def test_an_activation_is_not_fused_into_what_has_none(activation: str) -> None:
    x = int8((1, 4, 2))
    joined = OperatorSpec("CONCATENATION", [0], [1], {"Axis": 1})
    behind = OperatorSpec(activation, [1], [2], {})
    graph = read(build_model([x, x, x], [joined, behind], [0], [2]))
    assert_same_integers(graph, [np.arange(-100, -92, dtype=np.int8).reshape(1, 4, 2)])
    assert len(run_passes(graph).nodes) == 2


def test_a_scale_that_makes_weights_infinite_is_not_folded() -> None:
    x, out = float32((1, 2)), float32((1, 2))
    weights = constant(np.full((2, 2), 1e30, np.float32))
    scale = constant(np.full(2, 1e30, np.float32))
    operators = [
        OperatorSpec("FULLY_CONNECTED", [0, 1], [2], {}),
        OperatorSpec("MUL", [2, 3], [4], {}),
    ]
    assert accepted(build_model([x, weights, out, scale, out], operators, [0], [4]), "tflite")


def test_channels_whose_requantization_wraps_are_not_constant() -> None:
    """A left shift of a large sum wraps: a larger sum may give a smaller output."""
    rng = np.random.default_rng(0)
    weights = constant(rng.integers(-60, 60, (16, 8)).astype(np.int8), (2.0**26,))
    behind = constant(rng.integers(-60, 60, (4, 16)).astype(np.int8), (0.01,))
    tensors = [int8((1, 8), 0.025, -128), weights, int8((1, 16), 0.03, -128), behind, int8((1, 4))]
    operators = [
        OperatorSpec("FULLY_CONNECTED", [0, 1], [2], {"FusedActivationFunction": "RELU"}),
        OperatorSpec("FULLY_CONNECTED", [2, 3], [4], {}),
    ]
    graph = read(build_model(tensors, operators, [0], [4]))
    assert_same_integers(graph, [rng.integers(-128, 128, (1, 8), np.int8) for _ in range(20)])


def assert_same_integers(graph: Graph, inputs: Sequence[np.ndarray]) -> None:
    before, after = Reference(graph), Reference(run_passes(graph))
    for values in inputs:
        np.testing.assert_array_equal(before.infer((values,))[0], after.infer((values,))[0])


def test_following_large_tensors_is_left_out() -> None:
    wide = int8((2**20, 8))
    begun = time.monotonic()
    assert accepted(add(wide, int8((2**20, 8), 0.25, 3), wide), "tflite")
    assert accepted(add(int8((1, 2**24)), int8((1, 2**24)), int8((1, 2**24))), "tflite")
    assert time.monotonic() - begun < 1


def test_folding_has_a_budget_for_all_nodes_together() -> None:
    shape, value = constant(np.array([2**22], np.int32)), constant(np.zeros((), np.int8), (1.0,))
    filled = [int8((2**22,), 1.0, 0) for _ in range(50)]
    operators = [OperatorSpec("FILL", [0, 1], [2 + index], {}) for index in range(50)]
    outputs = [2 + index for index in range(50)]
    tensors = [shape, value, *filled, int8((4,))]
    operators.append(OperatorSpec("ABS", [52], [53], {}))
    tensors.append(int8((4,)))
    graph = read(build_model(tensors, operators, [52], [*outputs, 53]))
    assert sum(node.op.tflite == "FILL" for node in graph.nodes) == 46


def test_slow_operators_of_large_constants_are_refused() -> None:
    shape, value = constant(np.array([2**20, 2], np.int32)), constant(np.zeros((), np.float32))
    tensors = [shape, value, float32((2**20, 2)), float32((2**20, 2)), float32((3,)), float32((3,))]
    operators = [
        OperatorSpec("FILL", [0, 1], [2], {}),
        OperatorSpec("LOG_SOFTMAX", [2], [3], {}),
        OperatorSpec("ABS", [4], [5], {}),
    ]
    blob = build_model(tensors, operators, [4], [3, 5])
    assert "LOG_SOFTMAX of constants takes too much" in refusal(blob)


def test_an_axis_that_is_no_integer_is_named() -> None:
    x, piece = TensorSpec((4,), "float32"), TensorSpec((2,), "float32")
    axis = constant(np.array([np.nan], np.float32))
    lengths = constant(np.array([2, 2], np.int32))
    operators = [OperatorSpec("SPLIT_V", [0, 1, 2], [3, 4], {})]
    blob = build_model([x, lengths, axis, piece, piece], operators, [0], [3, 4])
    assert "axis is float32" in refusal(blob)


@pytest.mark.parametrize("is_fan", [False, True])
def test_many_nodes_take_bounded_time(is_fan: bool) -> None:
    def model(count: int) -> bytes:
        tensors = [float32((1, 4)) for _ in range(count + 1)]
        operators = [
            OperatorSpec("ABS" if is_fan else "RELU", [0 if is_fan else i], [i + 1], {})
            for i in range(count)
        ]
        outputs = list(range(1, count + 1)) if is_fan else [count]
        return build_model(tensors, operators, [0], outputs)

    begun = time.monotonic()
    assert accepted(model(1000), "tflite")
    assert time.monotonic() - begun < MAX_SECONDS
    assert "2,001 tensors are computed" in refusal(model(2001))


def test_a_legacy_output_is_converted_once() -> None:
    legacy = TensorSpec((2, 6), "uint8", (0.5,), (0,))
    shape = constant(np.array([12], np.int32))
    made = [OperatorSpec("RESHAPE", [0, 1], [2], {})]
    flat = TensorSpec((12,), "uint8", (0.5,), (0,))
    graph = read(build_model([legacy, shape, flat], made, [0], [2]))
    values = np.arange(0, 240, 20, dtype=np.uint8).reshape(2, 6)
    np.testing.assert_array_equal(Reference(graph).infer((values,))[0], values.ravel())


def test_an_output_that_is_known_is_a_constant() -> None:
    x, shape = float32((2, 3)), TensorSpec((2,), "int32")
    operators = [OperatorSpec("SHAPE", [0], [1], {})]
    assert accepted(build_model([x, shape], operators, [0], [1]), "tflite")


def test_constants_of_truth_values_have_their_type() -> None:
    x = TensorSpec((2,), "bool")
    graph = run_passes(read(single("LOGICAL_AND", (x, constant(np.array([True, False]))), x)))
    calls = tuple(node.op.lower(node.inputs, node.outputs) for node in graph.nodes)
    header = emit_c(graph, plan_memory(graph, calls), calls)["weights.h"]
    assert "#include <stdbool.h>" in header
    assert "const bool ts_weights_0[2];" in header
