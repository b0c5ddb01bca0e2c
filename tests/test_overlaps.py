"""Outputs over inputs: kernels simulated pixel by pixel never find an input written over."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tinysim.compiler.graph import DType, Graph, Node, Tensor
from tinysim.compiler.memory import PLANNERS, directed, plan_memory
from tinysim.compiler.ops import KernelCall, Overlap
from tinysim.compiler.ops._overlap import element_overlap, window_overlap
from tinysim.compiler.ops._window import Window

from .test_memory import Fake

examples = settings(deadline=None, max_examples=100)


class Sliding(Fake):
    """A window over an image, planned for with its overlap."""

    def __init__(self, window: Window) -> None:
        self.window = window

    def overlaps(self, inputs, outputs):  # type: ignore[no-untyped-def]
        """Allow what the window does."""
        return {0: window_overlap(self.window, inputs[0], outputs[0])}


@st.composite
def windows(draw: st.DrawFn) -> tuple[Window, Tensor, Tensor]:
    """A window, the image that it slides over, and what comes out."""
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    numbers = st.integers(1, 3)
    a, b, c, d, e, f = (draw(numbers) for _ in range(6))
    window = Window(a, b, c, d, e, f, padding)
    least = [(window.filter_h - 1) * window.dilation_h + 1]
    least += [(window.filter_w - 1) * window.dilation_w + 1]
    size = [draw(st.integers(low if padding == "VALID" else 1, low + 6)) for low in least]
    x = Tensor(0, "x", (1, *size, draw(st.integers(1, 4))), DType.INT8)
    out_shape = (1, *window.output_size(*size), draw(st.integers(1, 4)))
    return window, x, Tensor(1, "y", out_shape, DType.INT8)


def spoils(window: Window, x: Tensor, out: Tensor, distance: int, is_backward: bool) -> bool:
    """Run with the input ``distance`` bytes behind the output's start (before it, if negative)."""
    _, h, w, c = x.shape
    top, left = window.pad(h, w)
    written = np.zeros(x.size_bytes + out.size_bytes + abs(distance) + 1, bool)
    x_at, out_at = max(0, distance), max(0, -distance)
    positions = [(i, j) for i in range(out.shape[1]) for j in range(out.shape[2])]
    for p in reversed(range(len(positions))) if is_backward else range(len(positions)):
        y, z = positions[p]
        first = out_at + p * out.shape[3]
        for byte in range(first, first + out.shape[3]):  # a pixel's channels, in any order
            for i in range(window.filter_h):
                for j in range(window.filter_w):
                    row = y * window.stride_h - top + i * window.dilation_h
                    column = z * window.stride_w - left + j * window.dilation_w
                    if 0 <= row < h and 0 <= column < w:
                        at = x_at + (row * w + column) * c
                        if written[at : at + c].any():
                            return True
            written[byte] = True
    return False


@examples
@given(case=windows())
def test_window_at_the_nearest_distance_spoils_nothing(case: tuple[Window, Tensor, Tensor]) -> None:
    window, x, out = case
    rule = window_overlap(*case)
    assert rule is not None and rule.forward is not None and rule.backward is not None
    assert not spoils(window, x, out, rule.forward, is_backward=False)
    assert not spoils(window, x, out, -rule.backward, is_backward=True)


def test_window_nearer_than_that_does_spoil() -> None:
    window = Window(3, 3, 1, 1, 1, 1, "SAME")
    x, out = (Tensor(i, "", (1, 6, 5, 4), DType.INT8) for i in (0, 1))
    rule = window_overlap(window, x, out)
    assert rule == Overlap(forward=(5 + 2) * 4, backward=(5 + 2) * 4)
    assert spoils(window, x, out, (5 + 2) * 4 - 4, is_backward=False)
    assert spoils(window, x, out, 4 - (5 + 2) * 4, is_backward=True)


@examples
@given(
    kinds=st.sampled_from([(DType.INT8, DType.FLOAT32), (DType.FLOAT32, DType.INT8)]),
    elements=st.integers(1, 30),
)
def test_elements_of_other_size_are_read_before_they_are_written(
    kinds: tuple[DType, DType], elements: int
) -> None:
    x, out = (Tensor(i, "", (elements,), kind) for i, kind in enumerate(kinds))
    rule = element_overlap(x, out)
    assert rule is not None and rule.forward is not None
    a, b = (kind.itemsize for kind in kinds)
    for i in range(elements - 1):  # what is written up to here, what is read from here on
        assert b * (i + 1) <= rule.forward + a * (i + 1)


def test_types_that_c_lets_not_alias_do_not_overlap() -> None:
    x, out = Tensor(0, "", (4,), DType.INT16), Tensor(1, "", (4,), DType.FLOAT32)
    assert element_overlap(x, out) is None


def chain(count: int) -> tuple[Graph, tuple[tuple[KernelCall, ...], ...]]:
    """Images of one size, each computed from the last by a window of 3 x 3."""
    tensors = [Tensor(i, "", (1, 10, 5, 8), DType.INT8) for i in range(count + 1)]
    op = Sliding(Window(3, 3, 1, 1, 1, 1, "SAME"))
    nodes = tuple(Node(f"n{i}", op, (tensors[i],), (tensors[i + 1],)) for i in range(count))
    calls = tuple(
        (KernelCall("fake", {"is_backward": 0}, n.activations, n.outputs),) for n in nodes
    )
    return Graph("chain", "", nodes, (tensors[0],), (tensors[-1],)), calls


def test_chain_goes_to_and_fro_in_little_more_than_one_image() -> None:
    graph, calls = chain(5)
    plan = plan_memory(graph, calls)
    assert plan.arena_bytes == plan.lower_bound_bytes == 10 * 5 * 8 + (5 + 2) * 8
    turned = [call.params["is_backward"] for (call,) in directed(calls, plan)]
    assert sorted(turned[:2]) == [0, 1] and turned[:2] * 3 == [*turned, turned[1]]


def test_every_planner_finds_a_sound_plan_and_exact_is_no_worse() -> None:
    graph, calls = chain(4)
    plans = {name: plan_memory(graph, calls, name) for name in PLANNERS}
    assert plans["exact"].arena_bytes == min(plan.arena_bytes for plan in plans.values())
    for plan in plans.values():
        assert plan.arena_bytes >= plan.lower_bound_bytes
