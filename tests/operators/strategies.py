"""What tests of element-wise operators draw from: shapes, quantized tensors, values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from tests.tflite_models import Array, TensorSpec

examples = settings(deadline=None, max_examples=25)

Draw = st.DrawFn
Shape = tuple[int, ...]

activations = st.sampled_from(["NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
seeds = st.integers(0, 2**32 - 1)
shapes = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)


def single(exponent: float) -> float:
    """A power of two in single precision."""
    return float(np.float32(2.0**exponent))


def scales(low: int, high: int) -> st.SearchStrategy[float]:
    """Scales: whole powers of two give ties."""
    return (st.integers(low, high) | st.floats(low, high)).map(single)


def zero_points(dtype: str) -> st.SearchStrategy[int]:
    """Zero points: both ends and any between; int16 is symmetric."""
    if dtype == "int16":
        return st.just(0)
    limits = np.iinfo(dtype)
    return st.sampled_from([limits.min, 0, limits.max]) | st.integers(limits.min, limits.max)


@st.composite
def specs(draw: Draw, shape: Shape, dtype: str, scale: float | None = None) -> TensorSpec:
    """A tensor of any type; int8 and int16 are quantized."""
    if dtype not in ("int8", "int16", "uint8"):
        return TensorSpec(shape, dtype)
    chosen = draw(scales(-8, 3)) if scale is None else float(np.float32(scale))
    return TensorSpec(shape, dtype, (chosen,), (draw(zero_points(dtype)),))


@st.composite
def arrays(draw: Draw, shape: Sequence[int], dtype: str) -> Array:
    """Spread values, both ends, or all the same."""
    rng = np.random.default_rng(draw(seeds))
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype == "float32":
        spread = draw(st.sampled_from([1.0, 10.0, 1e-3, 1e6]))
        return (rng.normal(size=shape) * spread).astype(np.float32)
    limits = np.iinfo(dtype)
    choices: dict[str, Callable[[], Array]] = {
        "any": lambda: rng.integers(limits.min, limits.max, shape, dtype, endpoint=True),
        "small": lambda: rng.integers(max(-9, limits.min), 10, shape).astype(dtype),
        "ends": lambda: rng.choice(np.array([limits.min, limits.max], dtype), shape),
    }
    return np.asarray(choices[draw(st.sampled_from([*choices, "any"]))]())


@st.composite
def broadcasts(draw: Draw) -> tuple[Shape, Shape, Shape]:
    """Two shapes that broadcast in at most four nested patterns, and their result."""
    out = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    kind = draw(st.sampled_from(["same", "scalar", "tail", "ones"]))
    if kind == "same":
        return tuple(out), tuple(out), tuple(out)
    if kind == "scalar":
        other: list[int] = []
    elif kind == "tail":
        other = out[draw(st.integers(0, len(out) - 1)) :]
    else:
        first = [size if draw(st.booleans()) else 1 for size in out]
        other = [size if draw(st.booleans()) else 1 for size in out]
        whole = tuple(np.broadcast_shapes(first, other))
        return tuple(first), tuple(other), whole
    pair = [tuple(out), tuple(other)]
    if draw(st.booleans()):
        pair.reverse()
    return pair[0], pair[1], tuple(out)


def constant(spec: TensorSpec, data: Array) -> TensorSpec:
    """The tensor with values of the model file."""
    fields: dict[str, Any] = vars(spec) | {"data": data}
    return TensorSpec(**fields)
