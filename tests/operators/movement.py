"""Strategies and models that the tests of operators that move data share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_equal, native, reference
from tests.operators.harness import _read as read
from tests.tflite_models import Array, OperatorSpec, TensorSpec, build_model

examples = settings(deadline=None, max_examples=25)

#: What all of TFLM's kernels here take.
dtypes = st.sampled_from(["int8", "int8", "int16", "float32"])
shapes = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)


def spec(shape: Sequence[int], dtype: str) -> TensorSpec:
    """Return a tensor that is computed at run time."""
    if dtype in ("int8", "int16"):
        return TensorSpec(tuple(shape), dtype, (0.5,), (3 if dtype == "int8" else 0,))
    return TensorSpec(tuple(shape), dtype)


def values(tensor: TensorSpec, seed: int = 0) -> Array:
    """Return values that are all different, as far as the type can tell."""
    count = int(np.prod(tensor.shape, dtype=int))
    found = np.random.default_rng(seed).permutation(count) - count // 2
    return found.astype(tensor.dtype).reshape(tensor.shape)


def filled(tensor: TensorSpec, seed: int = 0) -> TensorSpec:
    """Return the tensor as a constant."""
    return replace(tensor, data=values(tensor, seed))


def ints(*numbers: Any) -> TensorSpec:
    """Return a constant of int32."""
    return models.constant(np.array(numbers, "int32"))


def many(
    name: str,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    options: Mapping[str, Any] | None = None,
) -> Case:
    """Return a model of one operator with several outputs, and values for two inferences."""
    tensors = [*inputs, *outputs]
    taken, given = range(len(inputs)), range(len(inputs), len(tensors))
    fed = [i for i in taken if tensors[i].data is None]
    operator = OperatorSpec(name, list(taken), list(given), options or {})
    steps = tuple(tuple(values(tensors[i], 7 * i + step) for i in fed) for step in range(2))
    return Case(build_model(tensors, [operator], fed, list(given)), steps)


def assert_ours_give(case: Case, *expected: Array) -> None:
    """Compare the first inference with what is expected: for what TFLM does not compute."""
    graph = read(case.model)
    ours = reference(graph, case.steps)
    assert_equal(ours[:1], [list(expected)], 0, "our reference, the expectation")
    assert_equal(native(graph, case.steps), ours, 0, "our C, our reference")
