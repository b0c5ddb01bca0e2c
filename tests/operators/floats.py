"""Layers of floats for the tuned kernels: any shape, and numbers that are hard to add up."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests import tflite_models as models
from tests.operators.harness import Case
from tests.tflite_models import Array, OperatorSpec, Pair, TensorSpec
from tinysim.boards import load_board
from tinysim.compiler import compile_model
from tinysim.compiler.reference import Reference
from tinysim.simulator import Session
from tinysim.simulator.cores import load_core

#: Numbers beside the usual ones: zeros of both signs, subnormals, and what sums become inf from.
FINITE = (0.0, -0.0, 1e-45, -1e-45, 1e-38, -1e-38, 1e30, -1e30)
#: And what inputs may hold: whatever is no number stays none.
ODD = (*FINITE, math.inf, -math.inf, math.nan, -math.nan)

#: The boards with an FPU, one for each core.
BOARDS = ("generic_m4", "generic_m7", "generic_m33")


class Layers:
    """Draws of one seed."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def values(
        self, shape: tuple[int, ...], odd: Sequence[float] = (), share: float = 0.1
    ) -> Array:
        """Normal numbers, a share of them replaced by odd ones."""
        found = self._random.normal(0, 1, shape).astype(np.float32)
        if odd:
            places = self._random.random(shape) < share
            found[places] = self._random.choice(np.array(odd, np.float32), int(places.sum()))
        return found

    def weights(
        self, shape: tuple[int, ...], axis: int, odd: Sequence[float] = ()
    ) -> tuple[TensorSpec, TensorSpec, TensorSpec]:
        """Filter and bias of finite numbers; the output's shape is left open."""
        filter_ = models.constant(self.values(shape, odd))
        return filter_, models.constant(self.values((shape[axis],), odd, 0.3)), models.float32(())

    def case(self, model: bytes, shape: tuple[int, ...], odd: Sequence[float] = ()) -> Case:
        """Two inferences with an input of this shape; odd numbers in the second only."""
        return Case(model, ((self.values(shape),), (self.values(shape, odd, 0.05),)))


def padded(
    name: str,
    x: TensorSpec,
    pads: tuple[Pair, Pair],
    weights: tuple[TensorSpec, TensorSpec, TensorSpec],
    stride: Pair,
) -> bytes:
    """Return a PAD of height and width before a convolution: one node once they are fused."""
    filter_, bias, out = weights
    amounts = np.array([(0, 0), *pads, (0, 0)], np.int32)
    n, height, width, channels = np.add(x.shape, amounts.sum(axis=1)).tolist()
    size = [(height, width)[i] - filter_.shape[1 + i] for i in range(2)]
    shape = (n, *(size[i] // stride[i] + 1 for i in range(2)), bias.shape[0])
    tensors = [
        *(x, models.constant(amounts), models.float32((n, height, width, channels))),
        *(filter_, bias, replace(out, shape=shape)),
    ]
    operators = [
        OperatorSpec("PAD", [0, 1], [2], {}),
        OperatorSpec(name, [2, 3, 4], [5], _options(name, "VALID", stride)),
    ]
    return models.build_model(tensors, operators, [0], [5])


def assert_row_is_right(
    name: str, kernel: str, shape: tuple[int, ...], filter_: tuple[int, ...], folder: Path
) -> None:
    """Compute four layers in a row, of outputs as large as their inputs, where they are planned.

    Each output lies over its input as near as it may; every other layer runs backward.
    """
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("no cross compiler on this host: tuned kernels cannot be built")
    layers = Layers(5)
    tensors, operators = [models.float32(shape)], []
    for _ in range(4):
        last, end = len(tensors) - 1, len(tensors) + 2
        weights, bias, _out = layers.weights(filter_, filter_.index(shape[3]))
        tensors += [weights, bias, models.float32(shape)]
        inputs = [last, end - 2, end - 1]
        operators.append(OperatorSpec(name, inputs, [end], _options(name, "SAME", (1, 1))))
    path = folder / "model.tflite"
    path.write_bytes(models.build_model(tensors, operators, [0], [len(tensors) - 1]))
    board = load_board("generic_m4")
    core = load_core(board.core)
    compiled = compile_model(path, board, core.target)
    text = compiled.files["model.c"].decode()
    # One function for each direction, which layers share.
    assert text.count(f"    const ts_{kernel}_params params = {{") == 2
    assert text.count("params params = {") == 2
    assert ".is_backward = 1," in text and ".is_backward = 0," in text
    values = (layers.values(shape),)
    (found,) = Session(compiled.firmware, board, core).infer(values).outputs
    np.testing.assert_array_equal(found, Reference(compiled.graph).infer(values)[0])


def _options(name: str, padding: str, stride: Pair) -> dict[str, str | int]:
    """Return the options of a convolution without dilation and activation."""
    options: dict[str, str | int] = {"Padding": padding, "FusedActivationFunction": "NONE"}
    options |= {"StrideH": stride[0], "StrideW": stride[1]}
    options |= {"DilationHFactor": 1, "DilationWFactor": 1}
    return options | ({"DepthMultiplier": 1} if name == "DEPTHWISE_CONV_2D" else {})
