"""ONNX models: our reference and our C against ONNX Runtime, bit for bit where it is quantized."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed: there is nothing to read with")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: no oracle to compare with")

from tests.onnx_cases import BYTES, FLOAT, QDQ, RNG, ROW, byte, ends, fake_quantized, quantization
from tests.onnx_models import MICROSOFT, Inputs, build, node, run
from tests.operators.harness import assert_equal, native, reference
from tinysim.compiler.graph import Graph
from tinysim.compiler.readers import onnx as reader


def read(model: bytes) -> Graph:
    return reader.read(model, "x", "0" * 64, "x.onnx")


def check(model: bytes, inputs: Inputs, ulp: float = 0, atol: float = 0) -> None:
    """Compare ONNX Runtime, our reference and our C.

    ``atol`` is for what is computed in float and quantized then: a sum in another order may fall
    on the other side of the middle between two steps.
    """
    graph = read(model)
    step = tuple(
        value.reshape(t.shape) for value, t in zip(inputs.values(), graph.inputs, strict=True)
    )
    ours = reference(graph, [step])
    if atol:
        np.testing.assert_allclose(ours[0][0], run(model, inputs)[0], rtol=0, atol=atol)
    else:
        assert_equal(ours, [run(model, inputs)], ulp, "our reference, ONNX Runtime")
    if shutil.which("gcc") is not None:
        assert_equal(native(graph, [step]), ours, ulp, "our C, our reference")


@pytest.mark.parametrize("case", FLOAT, ids=[case[0] for case in FLOAT])
def test_float_operators(case: tuple[str, list[Any], Inputs, Inputs, int, float]) -> None:
    _, nodes, inputs, constants, opset, ulp = case
    check(build(nodes, inputs, constants, opset=opset), inputs, ulp)


def test_arg_max_gives_the_first_place() -> None:
    nodes = [node("ArgMax", "x", axis=1)]
    check(build(nodes, ROW, outputs=[("y", "int64")]), ROW)


@pytest.mark.parametrize("weights", BYTES)
@pytest.mark.parametrize("dtype", BYTES)
@pytest.mark.parametrize("group", [1, 2, 4])
def test_quantized_convolution(dtype: Any, weights: Any, group: int) -> None:
    if dtype == np.int8 and weights == np.uint8:
        pytest.skip("ONNX Runtime has no kernel for it")
    x = {"x": byte(dtype, 1, 4, 7, 6)}
    per_channel = {"sw": RNG.uniform(0.001, 0.01, 8).astype(np.float32), "zw": np.zeros(8, weights)}
    for of_weights in (quantization(weights, "w", 0.004), per_channel):
        constants = {
            **quantization(dtype, "x"),
            **quantization(dtype, "y"),
            **of_weights,
            "w": byte(weights, 8, 4 // group, 3, 3),
            "b": RNG.integers(-2000, 2000, 8).astype(np.int32),
        }
        nodes = [node("QLinearConv", "x sx zx w sw zw sy zy b", group=group, pads=[1, 0, 1, 2])]
        check(build(nodes, x, constants, [("y", np.dtype(dtype).name)], opset=13), x)


@pytest.mark.parametrize("dtype", BYTES)
def test_quantized_products(dtype: Any) -> None:
    x = {"x": byte(dtype, 3, 12)}
    constants = {
        **quantization(dtype, "x"),
        **quantization(dtype, "y"),
        **quantization(np.int8, "w", 0.01),
        "w": byte(np.int8, 12, 5),
        "b": RNG.integers(-2000, 2000, 5).astype(np.int32),
    }
    outputs = [("y", np.dtype(dtype).name)]
    nodes = [node("QLinearMatMul", "x sx zx w sw zw sy zy")]
    check(build(nodes, x, constants, outputs, opset=13), x)
    nodes = [node("QGemm", "x sx zx w sw zw b sy zy", domain=MICROSOFT)]
    check(build(nodes, x, constants, outputs, opset=13), x)


SHAPES = [((64, 64), (64, 64)), ((1, 6, 4, 4), (6, 1, 1)), ((6, 1), (1, 6, 9)), ((64, 64), ())]


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("kind", ["QLinearAdd", "QLinearMul"])
@pytest.mark.parametrize("dtype", BYTES)
def test_quantized_sum_and_product(dtype: Any, kind: str, shapes: Any) -> None:
    for scale in (0.5, 0.1, 0.03):
        inputs = {"a": byte(dtype, *shapes[0]), "b": byte(dtype, *shapes[1])}
        inputs["b"] = np.asarray(inputs["b"])
        constants = quantization(dtype, "a", scale) | quantization(dtype, "b", 0.3)
        constants |= quantization(dtype, "y", 0.2) | {"b": inputs.pop("b")}
        nodes = [node(kind, "a sa za b sb zb sy zy", domain=MICROSOFT)]
        check(build(nodes, inputs, constants, [("y", np.dtype(dtype).name)], opset=13), inputs)


@pytest.mark.parametrize("dtype", BYTES)
def test_other_quantized_operators(dtype: Any) -> None:
    image, row = {"x": byte(dtype, 1, 5, 6, 7)}, {"x": byte(dtype, 3, 9)}
    zero = np.array(np.iinfo(dtype).min, dtype)
    probability = {"sp": np.array(1 / 256, np.float32), "zp": zero}
    cases: list[tuple[Any, Inputs]] = [
        (
            node(
                "QLinearAveragePool",
                "x sx zx sy zy",
                domain=MICROSOFT,
                kernel_shape=[2, 3],
                pads=[1, 0, 0, 1],
            ),
            image,
        ),
        (
            node(
                "QLinearAveragePool",
                "x sx zx sy zy",
                domain=MICROSOFT,
                kernel_shape=[3, 3],
                strides=[2, 2],
                pads=[1, 1, 1, 1],
                count_include_pad=1,
            ),
            image,
        ),
        (node("QLinearGlobalAveragePool", "x sx zx sy zy", domain=MICROSOFT), image),
        (node("QLinearSigmoid", "x sx zx sp zp", domain=MICROSOFT), row),
        (node("QLinearLeakyRelu", "x sx zx sy zy", domain=MICROSOFT, alpha=0.1), row),
        (node("QLinearSoftmax", "x sx zx sp zp", domain=MICROSOFT, axis=-1, opset=13), row),
        (node("QLinearSoftmax", "x sx zx sp zp", domain=MICROSOFT, axis=1, opset=13), image),
        (node("QLinearConcat", "sy zy x sx zx x sy zy", domain=MICROSOFT, axis=1), image),
        (node("MaxPool", "x", kernel_shape=[2, 2]), image),
        (node("Transpose", "x", perm=[3, 1, 0, 2]), image),
    ]
    for one, inputs in cases:
        constants = quantization(dtype, "x") | quantization(dtype, "y") | probability
        check(build([one], inputs, constants, [("y", np.dtype(dtype).name)], opset=13), inputs)


@pytest.mark.parametrize("dtype", BYTES)
def test_float_in_and_out_of_bytes(dtype: Any) -> None:
    x = {"x": (RNG.integers(-700, 700, (7, 33)) * np.float32(0.05)).astype(np.float32)}
    nodes = [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z")]
    constants = {"s": np.array(0.1, np.float32), "z": byte(dtype, 1).reshape(())}
    check(build(nodes, x, constants, opset=13), x)


@pytest.mark.parametrize("scale", ["x", "y", "r"])
@pytest.mark.parametrize("dtype", BYTES)
@pytest.mark.parametrize("case", QDQ, ids=[case[0] for case in QDQ])
def test_dequantize_operator_quantize(case: Any, dtype: Any, scale: str) -> None:
    name, nodes, kind = case
    model, x = fake_quantized([*nodes, *ends(scale)], dtype)
    is_folded = scale == "r" if name == "conv relu" else name != "concat" or scale != "x"
    if is_folded:
        assert kind in {one.op.tflite for one in read(model).nodes}
    check(model, x, atol=0 if name != "conv relu" or is_folded else 0.111)


def test_bytes_without_a_sign_stay_so_at_the_edges() -> None:
    x = {"x": byte(np.uint8, 1, 4, 4, 4)}
    constants = quantization(np.uint8, "x") | quantization(np.uint8, "y")
    nodes = [node("QLinearLeakyRelu", "x sx zx sy zy", domain=MICROSOFT)]
    model = build(nodes, x, constants, [("y", "uint8")], opset=13)
    graph = read(model)
    assert [t.dtype.value for t in (*graph.inputs, *graph.outputs)] == ["uint8", "uint8"]
    quant = graph.inputs[0].quant
    assert quant is not None and quant.zero_point == (int(constants["zx"]),)
    check(model, x)
