"""The tuned ADD and SUB on Armv7E-M."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case
from tests.operators.on_board import assert_on_board, read
from tests.operators.strategies import constant
from tests.operators.test_elementwise import quantized
from tests.tflite_models import Array, TensorSpec
from tinysim.boards import load_board
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants import candidates
from tinysim.compiler.variants.add_dsp import find_line, outputs
from tinysim.simulator.cores import load_core

BYTES = np.arange(-128, 128, dtype=np.int8)
ALL_PAIRS = (np.repeat(BYTES, 256).reshape(256, 256), np.tile(BYTES, 256).reshape(256, 256))

#: Scales and zero points of both operands and the output, and the activation.
SCALES = {
    "usual": ((0.041357, -128), (0.107149, 4), (0.052431, -128), "NONE"),
    "clamped": ((0.041357, 17), (0.107149, 4), (0.062437, -31), "RELU6"),
    "ties": ((0.5, 3), (0.25, -5), (1.0, 9), "NONE"),
    "equal": ((0.1, 127), (0.1, 127), (0.1, 127), "RELU"),
    "coarse": ((0.003, 0), (0.07, -1), (0.9, 0), "NONE"),
    "fine": ((0.110031, 5), (0.170073, -6), (0.090019, 0), "NONE"),
    "decimal": ((0.0413, -128), (0.1071, 4), (0.0524, -128), "NONE"),
    "far": ((0.00001, 19), (0.1071, 4), (0.0524, -10), "RELU_N1_TO_1"),
}
#: Scales with small common factors: the reference's own errors decide ties.
EXACT = ("decimal",)


def summed(kind: str, shape: tuple[int, ...], name: str = "ADD") -> tuple[list[TensorSpec], bytes]:
    """A model of two inputs of a shape."""
    *ends, activation = SCALES[kind]
    a, b, out = (models.int8(shape, float(np.float32(s)), z) for s, z in ends)
    return [a, b], models.single(name, (a, b), out, {"FusedActivationFunction": activation})


def call_of(model: bytes) -> KernelCall:
    (node,) = read(model).nodes
    (call,) = node.op.lower(node.inputs, node.outputs)
    return call


@pytest.mark.parametrize("name", ["ADD", "SUB"])
@pytest.mark.parametrize("kind", SCALES)
def test_every_pair(kind: str, name: str) -> None:
    """The arithmetic on a board; both kernels, because some kinds want rounding by sign."""
    case = Case(summed(kind, (256, 256), name)[1], (ALL_PAIRS,))
    kernel = "add_exact_dsp" if kind in EXACT else "add_dsp"
    assert len(assert_on_board([case], "generic_m4", kernel)) == 1


def test_ties_are_rounded_by_sign() -> None:
    found = {kind: find_line(call_of(summed(kind, (2, 2))[1])) for kind in SCALES}
    assert {kind: line and line.rounds_by_sign for kind, line in found.items()} == {
        **dict.fromkeys(SCALES, 0),
        "ties": 1,
        "decimal": None,
    }


def test_expected_outputs_are_the_reference() -> None:
    model = summed("fine", (256, 256))[1]
    (node,) = (graph := read(model)).nodes
    (expected,) = node.op.reference(node.inputs, node.outputs, ALL_PAIRS)
    assert graph.outputs == node.outputs
    np.testing.assert_array_equal(np.clip(outputs(call_of(model)), -128, 127), expected)


def rows(length: int, seed: int) -> list[Case]:
    """Equal shapes, a row that is used again and again, and constants on either side."""
    random = np.random.default_rng(seed)

    def values(*shape: int) -> Array:
        return random.integers(-128, 127, shape, np.int8, endpoint=True)

    (a, b), model = summed("usual", (length,))
    cases = [Case(model, tuple((values(length), values(length)) for _ in range(2)))]
    for kind in ("usual", "ties"):
        *ends, activation = SCALES[kind]
        shapes = ((2, 3, length), (length,), (2, 3, length))
        a, b, out = (models.int8(shape, s, z) for shape, (s, z) in zip(shapes, ends, strict=True))
        options = {"FusedActivationFunction": activation}
        steps = tuple((values(*shapes[0]), values(*shapes[1])) for _ in range(2))
        cases.append(
            Case(models.single("SUB", (b, a), out, options), tuple(s[::-1] for s in steps))
        )
        for fixed in range(2):
            pair = [a, b]
            pair[fixed] = constant(pair[fixed], steps[0][fixed])
            fed = tuple((step[1 - fixed],) for step in steps)
            if fixed == 1 or length > 1:
                cases.append(Case(models.single("ADD", pair, out, options), fed))
    return cases


@pytest.mark.parametrize("board", ["generic_m4", "generic_m33", "generic_m7"])
def test_rows(board: str) -> None:
    cases = [case for length in range(2, 20) for case in rows(length, length)]
    assert len(assert_on_board(cases, board, "add_dsp")) == len(cases)


def test_equals_the_reference() -> None:
    taken = 0

    @settings(deadline=None, max_examples=3)
    @given(cases=st.lists(st.sampled_from(["ADD", "SUB"]).flatmap(draw), min_size=16, max_size=16))
    def check(cases: list[Case]) -> None:
        nonlocal taken
        taken += len(assert_on_board(cases, "generic_m4", "add_dsp"))

    check()
    assert taken > 0


def draw(name: str) -> st.SearchStrategy[Case]:
    return quantized(name, "int8")


def test_what_it_is_not_for() -> None:
    target = load_core(load_board("generic_m4").core).target
    usual = summed("usual", (3, 5))[1]
    assert [c.name for c in candidates(call_of(usual), target)] == ["add_dsp", "add_s8"]
    a, b = models.int8((3, 5), 0.1, 0), models.int8((1,), 0.1, 0)
    single = models.add(a, b, models.int8((3, 5), 0.1, 0))
    assert [c.name for c in candidates(call_of(single), target)] == ["add_s8"]
    steep = models.add(a, a, models.int8((3, 5), 0.001, 0))
    assert find_line(call_of(steep)) is None
    older = load_core(load_board("generic_m3").core).target
    assert [c.name for c in candidates(call_of(usual), older)] == ["add_s8_v6m", "add_s8"]
