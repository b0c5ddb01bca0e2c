"""What TFLM has not: explicit padding, zero points of filters, other roundings. And refusals."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.operators.harness import native, reference
from tests.operators.weights import PAIRS, SEEDS, STEPS, ZERO_POINTS, Draw, scales
from tests.tflite_models import Array
from tinysim.compiler import quantize
from tinysim.compiler.graph import DType, Graph, Node, Quant, Tensor
from tinysim.compiler.ops import Operator
from tinysim.compiler.ops._window import MAX_EXTENT, Pads
from tinysim.compiler.ops.conv_2d import Conv2D
from tinysim.compiler.ops.depthwise_conv_2d import DepthwiseConv2D
from tinysim.compiler.ops.fully_connected import FullyConnected
from tinysim.compiler.ops.transpose_conv import TransposeConv

examples = settings(deadline=None, max_examples=40)

ROUNDINGS = st.sampled_from(["double", "single", "float"])


def computed(op: Operator, inputs: tuple[Tensor | None, ...], out: Tensor, x: Array) -> Array:
    """What the reference computes; the C must compute the same."""
    node = Node("layer", op, inputs, (out,))
    (given_,) = node.activations
    assert list(op.problems(inputs, (out,))) == []
    graph = Graph("model", "0" * 64, (node,), (given_,), (out,))
    ((by_reference,),) = reference(graph, [(x,)])
    ((by_c,),) = native(graph, [(x,)])
    np.testing.assert_array_equal(by_c, by_reference)
    return by_reference


def rounded(acc: Array, real: list[float], rounding: str) -> Array:
    """Sums ``[..., C]`` scaled by a number a channel, by the definition of each rounding."""
    columns = []
    for sums, ratio in zip(np.moveaxis(acc, -1, 0), real, strict=True):
        multiplier, shift = quantize.quantize_multiplier(ratio)
        if rounding == "double":
            columns.append(quantize.requantize(sums, multiplier, shift))
        elif rounding == "single":
            exact = Fraction(multiplier) * Fraction(2) ** (shift - 31)
            whole = [floor(int(value) * exact + Fraction(1, 2)) for value in sums.ravel()]
            columns.append(np.array(whole).reshape(sums.shape))
        else:
            columns.append(np.rint(sums.astype(np.float32) * np.float32(ratio)))
    return np.stack(columns, axis=-1)


def ratios(x: Quant, filter_: Quant, out: Quant, rounding: str) -> list[float]:
    kind = np.float32 if rounding == "float" else np.float64
    scale = kind(x.scale[0]), kind(out.scale[0])
    return [float(scale[0] * kind(value) / scale[1]) for value in filter_.scale]


@st.composite
def quants(draw: Draw, channels: int) -> tuple[Quant, Quant, Quant]:
    """Quantization of input, filter and output; the filter's zero point is any."""
    x = Quant((draw(scales(-8, 4)),), (draw(ZERO_POINTS),))
    zero_point = draw(ZERO_POINTS)
    spread = draw(st.lists(scales(-9, -5), min_size=channels, max_size=channels))
    filter_ = Quant(tuple(spread), (zero_point,) * channels)
    octaves = draw(scales(1, 8))
    out = Quant((float(np.float32(x.scale[0] * octaves)),), (draw(ZERO_POINTS),))
    return x, filter_, out


def sums(x: Array, weights: Array, pads: Pads, stride: tuple[int, int], dilation: Array) -> Array:
    """Convolve centred int64 ``x [N, H, W, C]`` and ``weights [O, H, W, C]`` naively."""
    edges = ((0, 0), (pads.top, pads.bottom), (pads.left, pads.right), (0, 0))
    canvas = np.pad(x, edges)
    extent = (np.array(weights.shape[1:3]) - 1) * dilation + 1
    size = (np.array(canvas.shape[1:3]) - extent) // stride + 1
    found = np.zeros((x.shape[0], *size, weights.shape[0]), np.int64)
    for y, left in np.ndindex(*size):
        top, side = y * stride[0], left * stride[1]
        seen = canvas[:, top : top + extent[0], side : side + extent[1]]
        seen = seen[:, :: dilation[0], :: dilation[1]]
        found[:, y, left] = np.einsum("nijc,oijc->no", seen, weights)
    return found


def quantized(shape: tuple[int, ...], quant: Quant, data: Array | None = None) -> Tensor:
    return Tensor(0 if data is None else 1, "", shape, DType.INT8, quant, data)


@examples
@given(data=st.data(), rounding=ROUNDINGS, is_depthwise=st.booleans(), seed=SEEDS)
def test_convolution_by_its_definition(
    data: st.DataObject, rounding: str, is_depthwise: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    window, stride, dilation = data.draw(PAIRS), data.draw(STEPS), np.array(data.draw(STEPS))
    pads = Pads(*(data.draw(st.integers(0, 4)) for _ in range(4)))
    groups, growth = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    depth = 1 if is_depthwise else data.draw(st.integers(1, 3))
    least = (np.array(window) - 1) * dilation + 1
    least = least - [pads.top + pads.bottom, pads.left + pads.right]
    size = [max(1, int(n)) + data.draw(st.integers(0, 5)) for n in least]
    x = random.integers(-128, 128, (2, *size, groups * depth)).astype(np.int8)
    weights = random.integers(-128, 128, (groups * growth, *window, depth)).astype(np.int8)
    bias = random.integers(-3000, 3000, groups * growth).astype(np.int32)
    x_quant, w_quant, out_quant = data.draw(quants(groups * growth))
    acc = np.concatenate(
        [
            sums(part.astype(np.int64) - x_quant.zero_point[0], own, pads, stride, dilation)
            for part, own in zip(
                np.split(x, groups, axis=3),
                np.split(weights.astype(np.int64) - w_quant.zero_point[0], groups),
                strict=True,
            )
        ],
        axis=3,
    )
    expected = rounded(acc + bias, ratios(x_quant, w_quant, out_quant, rounding), rounding)
    expected = np.clip(expected + out_quant.zero_point[0], -128, 127)
    kind: type[Conv2D | DepthwiseConv2D] = Conv2D
    if is_depthwise:
        kind, weights = DepthwiseConv2D, np.transpose(weights, (3, 1, 2, 0)).copy()
    op = kind(pads, *stride, int(dilation[0]), int(dilation[1]), "NONE", rounding)
    inputs = (
        quantized(x.shape, x_quant),
        quantized(weights.shape, w_quant, weights),
        Tensor(2, "", bias.shape, DType.INT32, None, bias),
    )
    out = replace(quantized(acc.shape, out_quant), id=3)
    np.testing.assert_array_equal(computed(op, inputs, out, x), expected)


@examples
@given(data=st.data(), rounding=ROUNDINGS, seed=SEEDS)
def test_product_by_its_definition(data: st.DataObject, rounding: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    n, i, o = (data.draw(st.integers(1, 9)) for _ in range(3))
    x, weights = (random.integers(-128, 128, (k, i)).astype(np.int8) for k in (n, o))
    x_quant, w_quant, out_quant = data.draw(quants(o))
    acc = (x.astype(np.int64) - x_quant.zero_point[0]) @ (
        weights.astype(np.int64) - w_quant.zero_point[0]
    ).T
    expected = rounded(acc, ratios(x_quant, w_quant, out_quant, rounding), rounding)
    expected = np.clip(expected + out_quant.zero_point[0], -128, 127)
    inputs = quantized(x.shape, x_quant), quantized(weights.shape, w_quant, weights), None
    out = replace(quantized((n, o), out_quant), id=3)
    found = computed(FullyConnected("NONE", rounding=rounding), inputs, out, x)
    np.testing.assert_array_equal(found, expected)


# --- refusals -------------------------------------------------------------------------------------

HALF = Quant((0.5,), (0,))
IMAGE = quantized((1, 4, 4, 2), HALF)
FILTER = quantized((2, 3, 3, 2), HALF, np.zeros((2, 3, 3, 2), np.int8))
OUT = replace(quantized((1, 2, 2, 2), HALF), id=3)
CONV = Conv2D("VALID", 1, 1, 1, 1, "NONE")


@pytest.mark.parametrize(
    ("op", "inputs", "out", "what"),
    [
        (CONV, (), OUT, "input is missing"),
        (CONV, (IMAGE,), OUT, "filter is missing"),
        (CONV, (IMAGE, replace(FILTER, data=None)), OUT, "must be a constant"),
        (CONV, (replace(IMAGE, dtype=DType.UINT8), FILTER), OUT, "input is uint8"),
        (CONV, (replace(IMAGE, dtype=DType.FLOAT32), FILTER), OUT, "filter is int8"),
        (CONV, (IMAGE, FILTER), replace(OUT, dtype=DType.INT16), "output is int16"),
        (CONV, (IMAGE, FILTER), replace(OUT, shape=(1, 2, 3, 2)), "output is [1, 2, 3, 2]"),
        (replace(CONV, padding="FULL"), (IMAGE, FILTER), OUT, "padding FULL"),
        (replace(CONV, padding=Pads(0, -1, 0, 0)), (IMAGE, FILTER), OUT, "is negative"),
        (replace(CONV, padding=Pads(MAX_EXTENT + 1, 0, 0, 0)), (IMAGE, FILTER), OUT, "at most"),
        (replace(CONV, dilation_h=2**31), (IMAGE, FILTER), OUT, "at most"),
        (replace(CONV, stride_w=0), (IMAGE, FILTER), OUT, "at least 1"),
        (replace(CONV, rounding="up"), (IMAGE, FILTER), OUT, "rounding up"),
        (
            CONV,
            (IMAGE, replace(FILTER, quant=Quant((0.5, 0.5), (0, 1)))),
            OUT,
            "several zero points",
        ),
        (CONV, (IMAGE, replace(FILTER, quant=Quant((1e30,), (0,)))), OUT, "cannot express"),
        (
            replace(CONV, rounding="float"),
            (
                replace(IMAGE, quant=Quant((1e30,), (0,))),
                replace(FILTER, quant=Quant((1e30,), (0,))),
            ),
            replace(OUT, quant=Quant((1e38,), (0,))),
            "inf",
        ),
        (
            CONV,
            (
                replace(IMAGE, dtype=DType.INT16, quant=Quant((0.5,), (1,))),
                FILTER,
            ),
            replace(OUT, dtype=DType.INT16),
            "zero point is not 0",
        ),
        (
            CONV,
            (
                Tensor(0, "", IMAGE.shape, DType.FLOAT32),
                Tensor(1, "", FILTER.shape, DType.FLOAT32, None, np.full(FILTER.shape, np.inf)),
            ),
            Tensor(3, "", OUT.shape, DType.FLOAT32),
            "not finite",
        ),
        (TransposeConv("SAME", 1, 1, "NONE"), (), OUT, "output shape is missing"),
        (
            TransposeConv("SAME", 1, 1, "NONE"),
            (Tensor(4, "", (2,), DType.INT32, None, np.array([2, 2])), FILTER, IMAGE),
            OUT,
            "[2, 2] is asked for",
        ),
        (FullyConnected("NONE", 1), (IMAGE, FILTER), OUT, "shuffled weights"),
        (FullyConnected("NONE"), (IMAGE, FILTER), OUT, "does not go with input"),
    ],
)
def test_what_no_kernel_takes_is_named(
    op: Operator, inputs: tuple[Tensor | None, ...], out: Tensor, what: str
) -> None:
    assert any(what in problem for problem in op.problems(inputs, (out,)))
