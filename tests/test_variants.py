"""The cost rule: which candidate computes a layer, by what the user optimizes for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.test_passes import SCALE, Maker
from tinysim.compiler.graph import DType, Quant
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.ops.add import Add
from tinysim.compiler.ops.conv_2d import Conv2D
from tinysim.compiler.ops.depthwise_conv_2d import DepthwiseConv2D
from tinysim.compiler.variants import (
    Candidate,
    Variant,
    affordable,
    alternatives,
    candidates,
    choose,
    select,
)
from tinysim.simulator.cores import load_core

TARGET = load_core("cortex_m4f").target


def call(kernel: str, constant_bytes: int = 1000) -> KernelCall:
    return KernelCall(kernel, {}, (), (), (np.zeros(constant_bytes, np.int8),))


PORTABLE = Candidate("portable", call("portable"), None)
LEAN = Candidate("lean", call("lean", 1100), 50.0)
FAST = Candidate("fast", call("fast", 2000), 10.0)


def test_the_cheapest_that_is_allowed_wins() -> None:
    found = (FAST, LEAN, PORTABLE)
    assert affordable(found, "speed") == found
    assert affordable(found, "balanced") == affordable(found, "size") == (LEAN, PORTABLE)
    assert choose(found, "speed") is FAST
    assert choose(found, "balanced") is LEAN
    assert choose((FAST, PORTABLE), "balanced") is PORTABLE
    assert choose(found, "size") is PORTABLE
    assert choose((PORTABLE,), "speed") is PORTABLE


@pytest.fixture
def filed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """File a variant that offers candidates by the name of the portable kernel."""

    def file(**offers: list[tuple[str, float]]) -> None:
        for portable, pairs in offers.items():

            class Made(Variant):
                pairs: list[tuple[str, float]] = []

                def runs_on(self, target: object) -> bool:
                    return True

                def candidates(self, one: KernelCall, target: object):  # type: ignore
                    for name, cycles in self.pairs:
                        yield Candidate(f"{name} of {one.kernel}", call(name), cycles)

            made = Made()
            made.pairs = pairs
            monkeypatch.setitem(Variant._registry, portable, [made])

    return file


@pytest.mark.parametrize("optimize", ["speed", "balanced", "size"])
def test_a_kernel_must_be_worth_its_code(filed: Callable[..., None], optimize: str) -> None:
    filed(large=[("wide", 10_000.0)], small=[("narrow", 5.0), ("wide", 6.0)], tiny=[("least", 1.0)])
    nodes = ((call("large"),), (call("small"),), (call("tiny"),))
    kernels = [parts[0].kernel for parts in select(nodes, TARGET, optimize, "auto", {})]
    passed = alternatives(nodes, TARGET, optimize, "auto")
    if optimize == "speed":
        assert kernels == ["wide", "narrow", "least"]
        assert passed == (("large",), ("wide of small", "small"), ("tiny",))
    elif optimize == "size":
        assert kernels == ["large", "small", "tiny"]
    else:  # what computes the large layer anyway costs nothing in the small one
        assert kernels == ["wide", "wide", "tiny"]
        assert passed == (("large",), ("small",), ())
    picked = select(nodes, TARGET, optimize, "auto", {1: "narrow of small", 2: "least of tiny"})
    first = "large" if optimize == "size" else "wide"
    assert [parts[0].kernel for parts in picked] == [first, "narrow", "least"]


@pytest.mark.parametrize("core", ["cortex_m0plus", "cortex_m4f"])
def test_a_part_of_a_tensor_stays_that_part(core: str) -> None:
    make = Maker()
    x = make.tensor((1, 8, 8, 4), DType.INT8, quant=SCALE)
    bias = make.constant(np.zeros(4, np.int32))
    for op, size in ((Conv2D, 3), (DepthwiseConv2D, 3), (DepthwiseConv2D, 5)):
        shape = (1 if op is DepthwiseConv2D else 4, size, size, 4)
        weights = make.constant(np.ones(shape, np.int8), Quant((0.01,), (0,)))
        make.node(op("SAME", 1, 1, 1, 1, "NONE"), (x, weights, bias), x.shape)
    make.node(Add("NONE"), (x, x), x.shape)
    target, tuned = load_core(core).target, set()
    for node in make.nodes:
        (portable,) = node.op.lower(node.inputs, node.outputs)
        starts = tuple(range(16, 16 + len(portable.inputs)))
        part = replace(portable, input_offsets=starts, output_offsets=(32,))
        for found in candidates(part, target):
            assert (found.call.input_offsets, found.call.output_offsets) == (starts, (32,))
            assert not found.call.overlaps or not found.call.overlaps[0].in_place
            tuned |= {found.call.kernel} - {portable.kernel}
    assert len(tuned) >= 4
