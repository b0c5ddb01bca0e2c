"""CAST between all types that TFLM knows, and what C leaves undefined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators import harness
from tests.operators.harness import Case, assert_all_agree
from tests.operators.strategies import arrays, examples, shapes
from tests.tflite_models import TensorSpec

SOURCES = ("int8", "int16", "int32", "uint32", "float32", "bool")
TARGETS = ("int8", "int16", "int32", "uint32", "float32")


@pytest.mark.parametrize("source", SOURCES)
@examples
@given(data=st.data(), target=st.sampled_from(TARGETS))
def test_cast(source: str, target: str, data: st.DataObject) -> None:
    shape = data.draw(shapes)
    values = data.draw(arrays(shape, source))
    if source == "float32":  # TFLM's are undefined beyond
        low = -100 if target != "uint32" else 0
        values = np.clip(values, low, 100).astype(np.float32)
    model = models.single("CAST", (TensorSpec(shape, source),), TensorSpec(shape, target))
    assert_all_agree(Case(model, ((values,),)))


@pytest.mark.parametrize("target", ["int8", "int16", "int32", "int64", "uint32", "bool"])
def test_floats_that_do_not_fit_become_the_nearest_that_do(target: str) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 2**31, -(2.0**31), 0.9, -0.9], np.float32)
    model = models.single("CAST", (TensorSpec(x.shape, "float32"),), TensorSpec(x.shape, target))
    graph = harness._read(model)
    if target == "bool":
        expected = np.ones(9, bool)
    else:
        limits = np.iinfo(target)
        ends = [limits.max, limits.min] * 2
        rest = [min(max(v, limits.min), limits.max) for v in (2**31, -(2**31))]
        expected = np.array([0, *ends, *rest, 0, 0], target)
    for found in (harness.reference(graph, [(x,)]), harness.native(graph, [(x,)])):
        np.testing.assert_array_equal(found[0][0], expected)
