"""Operators of two operands: broadcasting, constants on either side, all types and activations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators import harness
from tests.operators.harness import Case, assert_all_agree
from tests.operators.strategies import (
    Draw,
    activations,
    arrays,
    broadcasts,
    constant,
    examples,
    scales,
    specs,
    zero_points,
)
from tests.tflite_models import Array, TensorSpec


@st.composite
def operands(
    draw: Draw, dtype: str
) -> tuple[list[TensorSpec], list[tuple[Array, Array]], tuple[int, ...]]:
    """Two tensors, of which one may be a constant, with values for two inferences."""
    *pair, whole = draw(broadcasts())
    tensors = [draw(specs(shape, dtype)) for shape in pair]
    steps = [tuple(draw(arrays(shape, dtype)) for shape in pair) for _ in range(2)]
    fixed = draw(st.sampled_from([None, None, 0, 1]))
    if fixed is not None:
        tensors[fixed] = constant(tensors[fixed], steps[0][fixed])
    return tensors, [(a, b) for a, b in steps], whole


def case_of(
    name: str,
    tensors: list[TensorSpec],
    steps: list[tuple[Array, Array]],
    out: TensorSpec,
    activation: str | None,
) -> Case:
    """A model; what is constant is not fed."""
    options = {} if activation is None else {"FusedActivationFunction": activation}
    fed = [i for i, tensor in enumerate(tensors) if tensor.data is None]
    inputs = tuple(tuple(step[i] for i in fed) for step in steps)
    return Case(models.single(name, tensors, out, options), inputs)


@st.composite
def quantized(draw: Draw, name: str, dtype: str) -> Case:
    """Scales from output far finer than the inputs to far coarser; ratios that TFLM takes."""
    tensors, steps, whole = draw(operands(dtype))
    a, b = (tensor.scales[0] for tensor in tensors)
    if name in ("ADD", "SUB"):
        top = 19 if dtype == "int8" else 14
        natural, factors = max(a, b), scales(-top + 2, 8) | scales(-1, 2)
    else:
        # TFLM wants a multiplier that its int32 does not overflow with.
        natural, factors = a * b if name == "MUL" else max(a, b) ** 2, scales(-6, 20)
    wide = scales(4, 9) if dtype == "int8" and name != "ADD" else factors
    out_scale = float(np.float32(natural * draw(factors | wide)))
    out = TensorSpec(whole, dtype, (out_scale,), (draw(zero_points(dtype)),))
    activation = draw(activations) if name != "SQUARED_DIFFERENCE" else None
    return case_of(name, tensors, steps, out, activation)


@st.composite
def plain(draw: Draw, name: str, dtype: str) -> Case:
    """Floats and unquantized integers."""
    tensors, steps, whole = draw(operands(dtype))
    activation: str | None = draw(activations)
    if name in ("MINIMUM", "MAXIMUM", "SQUARED_DIFFERENCE"):
        activation = None
    elif (name, dtype) == ("ADD", "int32"):
        activation = "NONE"  # TFLM leaves any other out without a word
    if tensors[0].scales:  # compared as they are: of one quantization
        first = tensors[0]
        same = replace(tensors[1], scales=first.scales, zero_points=first.zero_points)
        tensors = [first, same]
        out = replace(tensors[0], shape=whole, data=None)
    else:
        out = TensorSpec(whole, dtype)
    if name == "DIV" and dtype == "int32":  # by zero TFLM dies
        nonzero = [(a, np.where((b == 0) | (b == -1), 3, b).astype(b.dtype)) for a, b in steps]
        if tensors[1].data is not None:
            tensors[1] = constant(tensors[1], nonzero[0][1])
        steps = nonzero
    return case_of(name, tensors, steps, out, activation)


QUANTIZED = [
    (name, dtype)
    for name in ("ADD", "SUB", "MUL", "SQUARED_DIFFERENCE")
    for dtype in ("int8", "int16")
]
PLAIN = [
    (name, dtype)
    for name in ("ADD", "SUB", "MUL", "SQUARED_DIFFERENCE", "DIV", "MINIMUM", "MAXIMUM")
    for dtype in ("float32", "int32")
]
PLAIN += [(name, t) for name in ("MINIMUM", "MAXIMUM") for t in ("int8", "int16", "int64")]


@pytest.mark.parametrize(("name", "dtype"), QUANTIZED)
@examples
@given(data=st.data())
def test_quantized_operands(name: str, dtype: str, data: st.DataObject) -> None:
    assert_all_agree(data.draw(quantized(name, dtype)))


@pytest.mark.parametrize(("name", "dtype"), PLAIN)
@examples
@given(data=st.data())
def test_plain_operands(name: str, dtype: str, data: st.DataObject) -> None:
    assert_all_agree(data.draw(plain(name, dtype)))


@examples
@given(data=st.data())
def test_int8_quotients(data: st.DataObject) -> None:
    """TFLM shifts by more than an integer has bits, where the output's scale is coarser."""
    (a, b), steps, whole = data.draw(operands("int8"))
    avoided = [(x, np.where(y == b.zero_points[0], y ^ 1, y).astype(np.int8)) for x, y in steps]
    if b.data is not None:
        b = replace(b, data=avoided[0][1])
    scale = float(np.float32(a.scales[0] / b.scales[0] / data.draw(scales(9, 21))))
    out = TensorSpec(whole, "int8", (scale,), (data.draw(zero_points("int8")),))
    assert_all_agree(case_of("DIV", [a, b], avoided, out, data.draw(activations)))


@examples
@given(data=st.data())
def test_int8_quotients_on_coarse_scales_are_near_the_real_ones(data: st.DataObject) -> None:
    (a, b), steps, whole = data.draw(operands("int8"))
    scale = float(np.float32(a.scales[0] / b.scales[0] / data.draw(scales(-9, 9))))
    out = TensorSpec(whole, "int8", (scale,), (data.draw(zero_points("int8")),))
    case = case_of("DIV", [a, b], steps, out, "NONE")
    graph = harness._read(case.model)
    found = harness.reference(graph, case.steps)
    harness.assert_equal(harness.native(graph, case.steps), found, 0, "our C, our reference")
    x, y = (
        (value.astype(float) - spec.zero_points[0]) * spec.scales[0]
        for value, spec in zip(steps[0], (a, b), strict=True)
    )
    real = np.where(y == 0, 0, x / np.where(y == 0, 1, y)) / scale + out.zero_points[0]
    assert np.abs(found[0][0] - np.clip(real, -128, 127)).max() <= 0.51


def float_pair(data: st.DataObject, name: str, values: st.SearchStrategy[float]) -> Case:
    """Two operands of single precision, of which one may be a constant."""
    tensors, steps, whole = data.draw(operands("float32"))
    for i, tensor in enumerate(tensors):
        for index, step in enumerate(steps):
            drawn = data.draw(st.lists(values, min_size=1, max_size=12))
            filled = np.resize(np.array(drawn, np.float32), tensor.shape)
            steps[index] = (filled, step[1]) if i == 0 else (step[0], filled)
        if tensor.data is not None:
            tensors[i] = replace(tensor, data=steps[0][i])
    return case_of(name, tensors, steps, TensorSpec(whole, "float32"), None)


finite = st.floats(-100, 100, width=32) | st.floats(allow_nan=False, allow_infinity=False, width=32)


@pytest.mark.parametrize("name", ["FLOOR_DIV", "FLOOR_MOD"])
@examples
@given(data=st.data())
def test_floored_quotients(name: str, data: st.DataObject) -> None:
    assert_all_agree(float_pair(data, name, finite.filter(lambda x: x != 0)))


@pytest.mark.parametrize("name", ["FLOOR_DIV", "FLOOR_MOD", "POW"])
@pytest.mark.parametrize("fixed", [False, True])
def test_special_floats(name: str, fixed: bool) -> None:
    """TFLM stops at a zero and has no POW, so ours are compared with each other: IEEE 754."""
    special = [0.0, -0.0, 1, -1, 0.5, -2, 3, -3, 2.0**24 + 2, 1e-45, 3e38, np.inf, -np.inf, np.nan]
    a, b = (x.ravel().astype(np.float32) for x in np.meshgrid(special, special))
    spec = TensorSpec(a.shape, "float32")
    tensors = [constant(spec, a) if fixed else spec, spec]
    case = case_of(name, tensors, [(a, b)], spec, None)
    graph = harness._read(case.model)
    found = harness.reference(graph, case.steps)
    harness.assert_equal(harness.native(graph, case.steps), found, 0, "our C, our reference")


@examples
@given(data=st.data())
def test_powers(data: st.DataObject) -> None:
    """Most are the correctly rounded ones; TFLM has no POW."""
    case = float_pair(data, "POW", st.floats(-30, 30, width=32) | st.floats(0, 2, width=32))
    graph = harness._read(case.model)
    found = harness.reference(graph, case.steps)
    harness.assert_equal(harness.native(graph, case.steps), found, 1, "our C, our reference")


def test_int32_quotients_that_c_leaves_open_are_zero_or_wrap() -> None:
    spec = TensorSpec((4,), "int32")
    model = models.single("DIV", (spec, spec), spec, {"FusedActivationFunction": "NONE"})
    values = np.array([7, 0, -(2**31), -9], np.int32), np.array([0, 0, -1, 2], np.int32)
    graph = harness._read(model)
    for found in (harness.reference(graph, [values]), harness.native(graph, [values])):
        np.testing.assert_array_equal(found[0][0], [0, 0, -(2**31), -4])
