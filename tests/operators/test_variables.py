"""Resource variables: what is assigned in one inference is read in the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree
from tests.tflite_models import Array, OperatorSpec, TensorSpec
from tinysim.compiler.graph import Graph
from tinysim.compiler.ops.read_variable import CopiedVariable, ReadVariable
from tinysim.compiler.passes import run_passes
from tinysim.compiler.readers import tflite
from tinysim.errors import ModelError

NONE = {"FusedActivationFunction": "NONE"}
HANDLE = TensorSpec((), "resource")


def handle(tensor: int, name: str = "state", container: str = "") -> OperatorSpec:
    return OperatorSpec("VAR_HANDLE", [], [tensor], {"Container": container, "SharedName": name})


def read(tensor: int, handle: int = 0) -> OperatorSpec:
    return OperatorSpec("READ_VARIABLE", [handle], [tensor], {})


def assign(tensor: int, handle: int = 0) -> OperatorSpec:
    return OperatorSpec("ASSIGN_VARIABLE", [handle, tensor], [], {})


def add(a: int, b: int, out: int) -> OperatorSpec:
    return OperatorSpec("ADD", [a, b], [out], NONE)


def accumulator(
    value: TensorSpec, initial: Array | None, order: Sequence[str] = ("sum", "assign", "out")
) -> bytes:
    """``state = state + in`` and ``out = read + in``, in any order; read comes first."""
    # 0 handle, 1 input, 2 what is read, 3 new state, 4 output
    tensors = [HANDLE, replace(value, name="input"), value, value, value]
    parts = {"sum": add(2, 1, 3), "assign": assign(3), "out": add(2, 1, 4)}
    operators = [handle(0), read(2), *(parts[name] for name in order)]
    if initial is None:
        return models.build_model(tensors, operators, [1], [4])
    first = replace(value, data=initial)
    operators = [OperatorSpec("CALL_ONCE", [], [], {"InitSubgraphIndex": 1}), *operators]
    once = ([HANDLE, first], [handle(0), assign(1)])
    return models.build_model(tensors, operators, [1], [4], once=once)


def graph_of(model: bytes) -> Graph:
    return tflite.read(model, "x", "0" * 64, "x.tflite")


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=3),
    st.floats(0.02, 0.5),
    st.sampled_from([-128, -5, 0, 127]),
    st.booleans(),
    st.sampled_from([("sum", "assign", "out"), ("sum", "out", "assign")]),
    st.integers(0, 2**32 - 1),
)
def test_state_is_kept(
    shape: list[int],
    scale: float,
    zero_point: int,
    is_set: bool,
    order: tuple[str, ...],
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    initial, *steps = rng.integers(-128, 128, (5, *shape), np.int8)
    value = models.int8(tuple(shape), scale, zero_point)
    model = accumulator(value, initial if is_set else None, order)
    assert_all_agree(Case(model, tuple((step,) for step in steps)))


def test_read_is_a_copy_only_if_the_variable_changes_before_the_last_use() -> None:
    value = models.int8((1, 4))
    late = graph_of(accumulator(value, None, ("sum", "assign", "out")))
    early = graph_of(accumulator(value, None, ("sum", "out", "assign")))
    assert isinstance(late.nodes[0].op, CopiedVariable)
    assert isinstance(early.nodes[0].op, ReadVariable) and early.nodes[0].op.is_view
    assert len(run_passes(late).nodes) == 4
    assert len(run_passes(early).nodes) == 3


def test_use_behind_a_view_counts() -> None:
    value = models.int8((1, 4))
    shape = models.constant(np.array([4], np.int32))
    flat = replace(value, shape=(4,))
    reshape = OperatorSpec("RESHAPE", [2, 3], [4], {})
    operators = [handle(0), read(2), reshape, assign(1), add(4, 4, 5)]
    model = models.build_model([HANDLE, value, value, shape, flat, flat], operators, [1], [5])
    assert isinstance(graph_of(model).nodes[0].op, CopiedVariable)
    rng = np.random.default_rng(3)
    assert_all_agree(Case(model, tuple((rng.integers(-128, 128, (1, 4), np.int8),) for _ in "abc")))


def test_variable_that_is_an_output_and_one_that_is_assigned_a_constant() -> None:
    value = models.int8((1, 4), 0.5, -7)
    fixed = replace(value, data=np.array([[1, 2, 3, 4]], np.int8))
    operators = [handle(0), read(2), add(1, 2, 4), assign(3)]
    model = models.build_model([HANDLE, value, value, fixed, value], operators, [1], [4, 2])
    ones = np.ones((1, 4), np.int8)
    assert_all_agree(Case(model, ((ones,), (ones,))))


def test_two_variables_and_two_handles_of_one() -> None:
    value = models.int8((2,))
    tensors = [HANDLE, HANDLE, HANDLE, value, value, value, value]
    operators = [
        handle(0, "a"),
        handle(1, "b"),
        handle(2, "a"),
        read(4, 2),
        read(5, 1),
        add(4, 5, 6),
        assign(3, 1),
        assign(6, 0),
    ]
    model = models.build_model(tensors, operators, [3], [6])
    assert len(graph_of(model).states) == 2
    steps = tuple((np.array([i, -i], np.int8),) for i in range(4))
    assert_all_agree(Case(model, steps))


def refusal(
    tensors: Sequence[TensorSpec], operators: Sequence[OperatorSpec], output: int, **rest: object
) -> str:
    with pytest.raises(ModelError) as caught:
        graph_of(models.build_model(tensors, operators, [1], [output], **rest))  # type: ignore[arg-type]
    return str(caught.value)


def test_what_makes_no_sense_is_refused() -> None:
    value = models.int8((1, 4))
    wide = models.int8((1, 8))
    tensors = [HANDLE, value, value, wide]
    once = OperatorSpec("CALL_ONCE", [], [], {"InitSubgraphIndex": 1})
    fixed = replace(value, data=np.zeros((1, 4), np.int8))
    setting = ([HANDLE, fixed], [handle(0), assign(1)])
    assert "nothing ever assigns" in refusal(tensors, [handle(0), read(2)], 2)
    assert "not the handle" in refusal(tensors, [read(2)], 2)
    assert "not the handle" in refusal(tensors, [handle(0), assign(1, 2)], 2)
    assert "differ in type" in refusal(tensors, [handle(0), assign(1), read(3)], 3)
    assert "to a variable of" in refusal(tensors, [handle(0), assign(1), assign(3), read(2)], 2)
    assert "subgraph 7" in refusal(
        tensors, [once._replace(options={"InitSubgraphIndex": 7}), handle(0), read(2)], 2
    )
    assert "after the variables are used" in refusal(
        tensors, [handle(0), read(2), once], 2, once=setting
    )
    assert "holds 2 subgraphs" in refusal(tensors, [handle(0), assign(1), read(2)], 2, once=setting)
    computed = ([HANDLE, value, fixed], [handle(0), add(2, 2, 1), assign(1)])
    assert "ADD) in a subgraph that runs once" in refusal(
        tensors, [once, handle(0), read(2)], 2, once=computed
    )
    branch = OperatorSpec("IF", [1], [2], {})
    assert "operator IF is not supported" in refusal(tensors, [branch], 2, once=setting)
