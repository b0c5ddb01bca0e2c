"""What the tests of operators with weights draw: inputs, filters, biases and outputs that fit."""

from __future__ import annotations

import math
from dataclasses import replace
from math import prod

import numpy as np
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case
from tests.tflite_models import Array, Pair, TensorSpec

Draw = st.DrawFn

#: The input's type, and for int16 that of the bias, which decides how sums are rounded.
KINDS = ("int8", "int16", "int16 narrow", "float32")

SEEDS = st.integers(0, 2**32 - 1)
ACTIVATIONS = st.sampled_from(["NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
PADDINGS = st.sampled_from(["SAME", "VALID"])
PAIRS = st.tuples(st.integers(1, 4), st.integers(1, 4))
STEPS = st.tuples(st.integers(1, 3), st.integers(1, 3))
ZERO_POINTS = st.one_of(st.integers(-128, 127), st.sampled_from([-128, 0, 127]))


def scales(low: float, high: float) -> st.SearchStrategy[float]:
    """Scales of single precision; powers of two, which give ties, among them."""
    whole = st.integers(math.ceil(low), math.floor(high))
    return st.one_of(whole, st.floats(low, high)).map(lambda e: float(np.float32(2.0**e)))


@st.composite
def arrays(draw: Draw, shape: tuple[int, ...], dtype: str) -> Array:
    """Values all over the type, at its two ends, or all the same; floats of all sizes."""
    random = np.random.default_rng(draw(SEEDS))
    kind = draw(st.sampled_from(["spread", "spread", "ends", "same"]))
    if dtype == "float32":
        spread = draw(st.sampled_from([1e-30, 1.0, 1.0, 1e4]))
        values = random.normal(0, spread, shape)
        return (values if kind != "same" else np.full(shape, values.flat[0])).astype("float32")
    info = np.iinfo(dtype)
    if kind == "spread":
        return random.integers(info.min, info.max, shape, dtype, endpoint=True)
    if kind == "ends":
        return random.choice(np.array([info.min, info.max], dtype), shape)
    return np.full(shape, random.integers(info.min, info.max, endpoint=True), dtype)


@st.composite
def inputs(draw: Draw, kind: str, shape: tuple[int, ...]) -> TensorSpec:
    """An input of one of ``KINDS``."""
    if kind == "float32":
        return models.float32(shape)
    if kind == "int8":
        return models.int8(shape, draw(scales(-8, 4)), draw(ZERO_POINTS))
    return TensorSpec(shape, "int16", (draw(scales(-16, -4)),), (0,))


@st.composite
def layers(
    draw: Draw,
    kind: str,
    x: TensorSpec,
    shape: tuple[int, ...],
    axis: int,
    *,
    needs_bias: bool = False,
) -> tuple[TensorSpec, TensorSpec | None, TensorSpec]:
    """Filter of ``shape``, bias and output; the output's shape is left open.

    Multipliers mostly bring the sums into the output's range; some are far away from that.
    """
    channels = shape[axis]
    has_bias = needs_bias or kind == "int16 narrow" or draw(st.booleans())
    if kind == "float32":
        bias = models.constant(draw(arrays((channels,), "float32"))) if has_bias else None
        return models.constant(draw(arrays(shape, "float32"))), bias, models.float32(())
    terms = prod(shape) // channels
    spread = (74 if kind == "int8" else 19_000) * 74 * terms**0.5
    top = 60 if kind == "int8" else 15_000
    is_usual = draw(st.sampled_from([True, True, False]))
    middle = math.log2(top / spread)
    factor = draw(scales(middle - 3, middle + 3) if is_usual else scales(-36, -1))
    if kind == "int8":
        out = models.int8((), draw(scales(-8, 1)), draw(ZERO_POINTS))
    else:
        out = TensorSpec((), "int16", (draw(scales(-16, -6)),), (0,))
    below = [1.0]
    if draw(st.booleans()):
        below = draw(st.lists(scales(-3, 0), min_size=channels, max_size=channels))
    largest = out.scales[0] * factor / x.scales[0]
    filter_scales = tuple(float(np.float32(largest * part)) for part in below)
    filter_ = models.constant(draw(arrays(shape, "int8")), filter_scales, axis)
    if not has_bias:
        return filter_, None, out
    limit = int(spread) if is_usual else 2**40 if kind == "int16" else 2**29
    random = np.random.default_rng(draw(SEEDS))
    values = random.integers(-limit, limit, channels, "int64")
    bias_scales = tuple(x.scales[0] * scale for scale in filter_scales)
    bias = models.constant(values.astype("int64" if kind == "int16" else "int32"), bias_scales)
    return filter_, bias, out


@st.composite
def images(
    draw: Draw, kind: str, window: Pair, dilation: Pair, padding: str, channels: int
) -> TensorSpec:
    """An input ``[N, H, W, C]`` that a window of this extent fits in."""
    height, width = (
        draw(st.integers(0, 7)) + ((window[i] - 1) * dilation[i] + 1 if padding == "VALID" else 1)
        for i in range(2)
    )
    return draw(inputs(kind, (draw(st.integers(1, 2)), height, width, channels)))


@st.composite
def steps(draw: Draw, model: bytes, x: TensorSpec) -> Case:
    """Two inferences of a model with one input."""
    dtype = x.dtype
    return Case(model, tuple((draw(arrays(x.shape, dtype)),) for _ in range(2)))


def with_zero_point(spec: TensorSpec, zero_point: int) -> TensorSpec:
    """A filter whose scales all have this zero point."""
    return replace(spec, zero_points=(zero_point,) * len(spec.scales))
