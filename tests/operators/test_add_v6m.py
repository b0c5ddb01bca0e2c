"""ADD and SUB of one shape on Armv6-M: the tuned kernel on the board against the reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case
from tests.operators.on_board import assert_on_board
from tests.operators.strategies import Draw, activations, arrays, scales, specs, zero_points
from tests.tflite_models import TensorSpec

examples = settings(
    deadline=None, max_examples=3, suppress_health_check=list(HealthCheck), database=None
)


@st.composite
def sums(draw: Draw) -> Case:
    """Scales as they are in models, and those of one size, which give ties."""
    shape = (draw(st.sampled_from([1, 2, 3, 700, 4001])),)
    a = draw(specs(shape, "int8"))
    b = draw(specs(shape, "int8", a.scales[0] * draw(scales(-3, 3) | st.just(1.0))))
    factor = draw(scales(-2, 3) | st.sampled_from([1.0, 2.0]))
    out_scale = float(np.float32(max(a.scales[0], b.scales[0]) * factor))
    out = TensorSpec(shape, "int8", (out_scale,), (draw(zero_points("int8")),))
    steps = tuple((draw(arrays(shape, "int8")), draw(arrays(shape, "int8"))) for _ in range(2))
    options = {"FusedActivationFunction": draw(activations)}
    name = draw(st.sampled_from(["ADD", "ADD", "SUB"]))
    if draw(st.integers(0, 4)) == 0:  # a constant of the same shape
        b = replace(b, data=steps[0][1])
        return Case(models.single(name, [a, b], out, options), tuple((s[0],) for s in steps))
    return Case(models.single(name, [a, b], out, options), steps)


def test_sums_of_one_shape() -> None:
    taken = 0

    @examples
    @given(cases=st.lists(sums(), min_size=12, max_size=12))
    def check(cases: list[Case]) -> None:
        nonlocal taken
        taken += len(assert_on_board(cases, "generic_m0plus", "add_s8_v6m"))

    check()
    assert taken >= 16
