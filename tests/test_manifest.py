"""Every model of the shared manifest, on emulated cores, against its stored outputs."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tinysim
from tests.conftest import SHARED
from tinysim.agreement import check_outputs, nudged
from tinysim.compiler.readers import read_model
from tinysim.compiler.reference import run_reference

MANIFEST = SHARED / "models" / "MANIFEST.csv"
NAMES = (
    [row["file"] for row in csv.DictReader(MANIFEST.read_text().splitlines())]
    if MANIFEST.is_file()
    else ["absent"]
)

#: Weights are used as floats here; the runtime that made the stored outputs rounds activations to
#: int8 before each layer.
HYBRID = {"mlperf_kws_float32_hybrid.tflite": 0.05}

#: The stored output is one step of 1/256 away from what ONNX Runtime computes on other computers:
#: see test_quantized_onnx_model_equals_the_runtime_here.
ONE_STEP = {"mlonmcu_micro_kws_m_qdq.onnx": 1.01 / 256}


@pytest.mark.slow
@pytest.mark.parametrize("board", ["generic_m4", "generic_m0plus"])
@pytest.mark.parametrize("name", NAMES)
def test_device_gives_the_stored_outputs(shared: Path, name: str, board: str) -> None:
    check(shared, name, board)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in NAMES if n.endswith((".h5", ".onnx"))])
def test_float_models_give_the_stored_outputs_on_a_fast_core(shared: Path, name: str) -> None:
    check(shared, name, "generic_m7")


def check(shared: Path, name: str, board: str) -> None:
    """Run all stored inferences in a row; without any, compare with the host alone."""
    path, stored = shared / "models" / name, shared / "models" / "golden" / f"{name}.npz"
    needs = {".onnx": "onnx", ".h5": "h5py"}.get(path.suffix)
    if needs is not None and importlib.util.find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")
    golden = dict(np.load(stored)) if stored.is_file() else {}
    infos = tinysim.compile(path, board).firmware.inputs
    steps = sum(key.startswith("in0_") for key in golden)
    batches = [
        [golden[f"in{i}_{step}"].reshape(info.shape) for i, info in enumerate(infos)]
        for step in range(steps)
    ]
    for step, profile in enumerate(tinysim.run_each(path, board, batches or None)):
        assert profile.output_check.status in ("exact", "close")
        assert profile.arena_written_bytes <= profile.arena_bytes
        for index, found in enumerate(profile.outputs):
            if golden:
                nearby = partial(_nearby, path, batches[step], index)
                compare(name, golden[f"out{index}_{step}"], found, nearby)


def _nearby(path: Path, inputs: list[NDArray[Any]], index: int) -> list[list[NDArray[Any]]]:
    """Return an output of the first inference for inputs that differ in their last digits."""
    graph = read_model(path)
    return [[run_reference(graph, nudged(inputs, seed))[index]] for seed in range(3)]


def compare(
    name: str,
    wanted: NDArray[Any],
    found: NDArray[Any],
    nearby: Callable[[], list[list[NDArray[Any]]]],
) -> None:
    """Integers are equal, floats within the stated units of the largest."""
    wanted = wanted.reshape(found.shape)
    assert wanted.dtype == found.dtype
    if name in HYBRID | ONE_STEP:
        np.testing.assert_allclose(found, wanted, rtol=0, atol=(HYBRID | ONE_STEP)[name])
        return
    assert check_outputs([wanted], [found], nearby).status in ("exact", "close")


def test_quantized_onnx_model_equals_the_runtime_here(shared: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    path = shared / "models" / "mlonmcu_micro_kws_m_qdq.onnx"
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    shape = read_model(path).inputs[0].shape
    rng = np.random.default_rng(0)
    batches = [[rng.normal(0, 20, shape).astype(np.float32)] for _ in range(3)]
    for inputs, profile in zip(batches, tinysim.run_each(path, "generic_m4", batches), strict=True):
        (expected,) = session.run(None, {session.get_inputs()[0].name: inputs[0]})
        np.testing.assert_array_equal(profile.outputs[0], expected)


#: What the planner must reach, in bytes (int8 models of MLPerf Tiny and MCUNet's wake words), with
#: kernels that need no memory of their own.
ARENAS = {
    "mlperf_kws_int8.tflite": 8_704,
    "mlperf_vww_int8.tflite": 40_960,
    "mlperf_ic_resnet_int8.tflite": 36_864,
    "mlperf_ad_int8.tflite": 768,
    "mcunet_vww_int8.tflite": 112_486,
}


@pytest.mark.parametrize("name", ARENAS)
def test_arena_is_small_and_written_to_its_end(shared: Path, name: str) -> None:
    profile = tinysim.run(shared / "models" / name, "generic_m4", optimize="size")
    assert profile.arena_lower_bound_bytes <= profile.arena_bytes <= ARENAS[name]
    # A last byte may happen to be written with the value of the paint.
    assert profile.arena_bytes - 8 <= profile.arena_written_bytes <= profile.arena_bytes
