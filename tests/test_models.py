"""Real models on emulated cores: outputs equal to the reference interpreter's, to the bit."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tinysim
from tests.conftest import DEMO, DEMO_MODEL, ROOT
from tests.tflite_models import TensorSpec, constant, fully_connected
from tinysim import compiler
from tinysim.boards import Board, Cache, load_board, parse_board
from tinysim.compiler import compile_graph
from tinysim.compiler.readers import read_model, tflite
from tinysim.compiler.reference import run_reference
from tinysim.errors import BoardError, ModelError
from tinysim.firmware import TensorInfo
from tinysim.simulator import Session, check_inputs, random_inputs
from tinysim.simulator.cores import load_core
from tinysim.simulator.profile import Profile

#: The acceptance set: models that nobody here wrote.
MODELS = (
    "mlperf_kws_int8",
    "mlperf_ic_resnet_int8",
    "mlperf_vww_int8",
    "mlperf_ad_int8",
    "mlperf_ad_int8_floatio",
    "tinymaix_mnist_valid_q",
    "tinyengine_mnist_lenet300100_int8",
    "arm_kws_cnn_s_int8",
    "tflm_person_detect_int8",
    "mlonmcu_catdog_int8",
    "mlonmcu_micro_kws_m_int8",
)
CORES = ("generic_m0plus", "generic_m4", "generic_m7", "generic_m33")
ORACLE_INPUTS = 10


def oracle(model: Path, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    """One inference of the reference interpreter."""
    runtime = pytest.importorskip("tflite_micro", reason="tflite-micro is not installed").runtime
    interpreter = runtime.Interpreter.from_file(str(model), arena_size=500_000)
    for index, value in enumerate(inputs):
        interpreter.set_input(value, index)
    interpreter.invoke()
    output: NDArray[Any] = interpreter.get_output(0)
    return output


def assert_sums_up(profile: Profile) -> None:
    parts = [*(layer.counters for layer in profile.layers), profile.runtime]
    assert all(layer.counters.instructions > 0 for layer in profile.layers)
    assert profile.runtime.instructions < 20 * len(profile.layers)
    assert sum(part.cycles for part in parts) == profile.cycles
    assert sum(part.instructions for part in parts) == profile.total.instructions
    for part in parts:
        assert part.cycles == part.issue_cycles + sum(part.stalls.values())


@pytest.mark.parametrize("name", MODELS)
def test_device_equals_the_reference_interpreter(shared: Path, name: str) -> None:
    path = shared / "models" / f"{name}.tflite"
    infos = tinysim.compile(path, "generic_m4").firmware.inputs
    batches = [list(random_inputs(infos, seed)) for seed in range(ORACLE_INPUTS)]
    for inputs, profile in zip(batches, tinysim.run_each(path, "generic_m4", batches), strict=True):
        expected = oracle(path, inputs)
        np.testing.assert_array_equal(
            profile.outputs[0], expected.reshape(profile.outputs[0].shape)
        )
        assert profile.output_check.status == "exact"
        assert_sums_up(profile)


@pytest.mark.parametrize("board", CORES)
@pytest.mark.parametrize("name", MODELS)
def test_every_core_equals_the_stored_outputs(shared: Path, name: str, board: str) -> None:
    path = shared / "models" / f"{name}.tflite"
    golden = np.load(shared / "models" / "golden" / f"{name}.tflite.npz")
    profile = tinysim.run(path, board, inputs=[golden["in0_0"]])
    np.testing.assert_array_equal(profile.outputs[0].ravel(), golden["out0_0"].ravel())
    assert profile.output_check.status == "exact"
    assert profile.fits
    assert_sums_up(profile)


@pytest.mark.parametrize("name", MODELS)
def test_host_reference_equals_the_stored_outputs(shared: Path, name: str) -> None:
    graph = read_model(shared / "models" / f"{name}.tflite")
    golden = np.load(shared / "models" / "golden" / f"{name}.tflite.npz")
    for step in range(sum(key.startswith("in0_") for key in golden)):
        value = golden[f"in0_{step}"].reshape(graph.inputs[0].shape)
        output = run_reference(graph, (value,))[0]
        np.testing.assert_array_equal(output.ravel(), golden[f"out0_{step}"].ravel())


@pytest.mark.parametrize("optimize", ["speed", "size"])
def test_demo_model_reads_all_digits(optimize: str) -> None:
    digits = np.load(DEMO / "digits.npz")
    batches = [[x[np.newaxis]] for x in digits["x"]]
    profiles = list(tinysim.run_each(DEMO_MODEL, "nano33ble", batches, optimize=optimize))
    assert [int(p.outputs[0].argmax()) for p in profiles] == digits["y"].tolist()
    assert {p.output_check.status for p in profiles} == {"exact"}


def test_real_numbers_are_quantized_for_the_user() -> None:
    digits = np.load(DEMO / "digits.npz")
    real = digits["images"][0][np.newaxis, :, :, np.newaxis] / 255.0
    profile = tinysim.run(DEMO_MODEL, "generic_m4", inputs=[real.astype(np.float32)])
    np.testing.assert_array_equal(profile.inputs[0][0], digits["x"][0])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_real_numbers_are_quantized_the_same_for_every_type(dtype: str, real: Any) -> None:
    limits = np.iinfo(dtype)
    zero_point = (limits.min + limits.max + 1) // 2 + 3
    info = TensorInfo("x", (1, 6), dtype, 0, 0.5, zero_point)
    ones = np.array([0, 0.5, -1.0, 0.3, np.inf, -np.inf], real)
    (ready,) = check_inputs([info], [ones], "m")
    middle = [zero_point + steps for steps in (0, 1, -2, 1)]
    assert ready.dtype == dtype and ready.shape == (1, 6)
    assert ready[0].tolist() == [*middle, limits.max, limits.min]
    (as_it_is,) = check_inputs([info], [ready], "m")
    np.testing.assert_array_equal(as_it_is, ready)
    for wrong, what in ((ones[:5], r"\[5\] does not go with"), (ones * np.nan, "holds NaN")):
        with pytest.raises(ModelError, match=what):
            check_inputs([info], [wrong], "m")


def test_real_numbers_for_an_old_uint8_model_are_quantized_for_the_user() -> None:
    """Its weights are uint8, too; what goes in stays uint8."""
    quantized = TensorSpec((1, 3), "uint8", (0.25,), (100,))
    weights = replace(constant(np.array([[128, 130, 120]], np.uint8), (1.0,)), zero_points=(128,))
    graph = tflite.read(fully_connected(quantized, weights, None, quantized), "m", "0" * 64, "m")
    board = load_board("generic_m0plus")
    core = load_core(board.core)
    firmware = compile_graph(graph, "m", board, core.target).firmware
    ready = check_inputs(firmware.inputs, [np.array([[1.0, -2.0, 0.25]], np.float32)], "m")
    assert ready[0].tolist() == [[104, 92, 101]]
    (found,) = Session(firmware, board, core).infer(ready).outputs
    assert found.tolist() == [[100 + 2 * -8 - 8 * 1]]


def small_board(**changes: Any) -> Board:
    """The M4 yardstick with other memory."""
    table = tomllib.loads((ROOT / "boards" / "generic_m4.toml").read_text())
    for region, row in changes.items():
        table["region"][region] |= row
    return parse_board(table, where="test", sha256="")


def test_model_too_large_for_flash_runs_and_says_by_how_much() -> None:
    full = tinysim.run(DEMO_MODEL, "generic_m4")
    tight = tinysim.run(DEMO_MODEL, small_board(flash={"size_bytes": 8192}))
    over = full.used_bytes("flash") - 8192
    assert not tight.fits
    assert tight.verdict == f"DOES NOT FIT: flash over by {over:,} B (largest: weights, 8,152 B)"
    assert tight.output_check.status == "exact"
    assert tight.cycles == full.cycles


def test_more_weights_than_any_board_has_room_for_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compiler, "MOST_WEIGHT_BYTES", 1000)
    board = load_board("generic_m4")
    with pytest.raises(ModelError, match="B of weights, and at most 1,000 B are compiled; prune"):
        compile_graph(read_model(DEMO_MODEL), "demo", board, load_core(board.core).target)


def test_model_too_large_for_ram_runs_and_says_by_how_much() -> None:
    full = tinysim.run(DEMO_MODEL, "generic_m4")
    tight = tinysim.run(DEMO_MODEL, small_board(sram={"size_bytes": 8192}))
    over = full.used_bytes("ram") - 8192
    assert tight.verdict == f"DOES NOT FIT: sram over by {over:,} B (largest: arena, 13,632 B)"
    assert tight.output_check.status == "exact"


def test_ram_that_only_the_stack_overflows_does_not_fit() -> None:
    full = tinysim.run(DEMO_MODEL, "generic_m4")
    tight = tinysim.run(DEMO_MODEL, small_board(sram={"size_bytes": full.arena_bytes + 64}))
    assert [region.overflow_bytes for region in tight.overflows] == [full.stack_bytes - 64]


def test_arena_goes_to_the_first_ram_that_takes_it() -> None:
    small = tinysim.run(DEMO_MODEL, "disco_f746ng")
    used = {region.name: region.used for region in small.regions}
    assert used["dtcm"]["arena"] == small.arena_bytes and "arena" not in used["sram"]


def test_arena_goes_to_larger_ram_when_the_first_is_full() -> None:
    board = load_board("disco_f746ng")
    regions = tuple(
        replace(region, size_bytes=12_288) if region.name == "dtcm" else region
        for region in board.regions
    )
    large = tinysim.run(DEMO_MODEL, replace(board, regions=regions))
    used = {region.name: region.used for region in large.regions}
    assert used["sram"]["arena"] == large.arena_bytes and used["dtcm"].keys() == {"stack"}
    assert large.fits


@pytest.mark.parametrize("waits", [0, 1, 2, 5, 9])
def test_wait_states_never_speed_a_run_up(waits: int) -> None:
    # The same image on all of them: nothing is copied to spare RAM because flash waits.
    plain = tinysim.run(DEMO_MODEL, "generic_m4", optimize="size", fidelity=3)
    fewer = tinysim.run(DEMO_MODEL, behind_cache(max(0, waits - 1)), optimize="size")
    waited = tinysim.run(DEMO_MODEL, behind_cache(waits), optimize="size")
    extra = waited.total.stalls["flash"] + waited.total.stalls["data"]
    assert waited.cycles == plain.cycles + extra >= fewer.cycles
    assert (extra > 0) == (waits > 0)
    assert waited.total.instructions == plain.total.instructions


def behind_cache(wait_states: int) -> Board:
    """The M4 yardstick with flash that waits behind a small cache."""
    board = load_board("generic_m4")
    flash = replace(board.region("flash"), wait_states=wait_states, code="cache", data="cache")
    cache = Cache("cache", lines=16, ways=2, line_bytes=16, word_bytes=8, source="test")
    others = (region for region in board.regions if region.name != "flash")
    return replace(board, regions=(flash, *others), caches=(cache,))


def test_compilation_is_the_same_to_the_byte() -> None:
    first, second = (tinysim.compile(DEMO_MODEL, "generic_m4").files for _ in range(2))
    assert first == second


def test_bank_that_costs_cycles_is_told_and_can_be_left_out() -> None:
    whole = tinysim.run(DEMO_MODEL, "nucleo_l4r5zi")
    without = tinysim.run(DEMO_MODEL, "nucleo_l4r5zi", avoid=["sram3"])
    assert without.bank_cycles == {}
    # Not to the cycle: while data waits, the next instructions are read ahead.
    assert whole.cycles - without.cycles == pytest.approx(whole.bank_cycles["sram3"], rel=0.06)
    assert whole.bank_cycles["sram3"] <= whole.total.stalls["data"]
    assert next(r.size_bytes for r in without.regions if r.name == "sram") == 262_144
    with pytest.raises(BoardError, match="has no bank sram9; its banks: sram3"):
        tinysim.run(DEMO_MODEL, "nucleo_l4r5zi", avoid=["sram9"])


def test_session_goes_back_to_a_snapshot() -> None:
    board = load_board("generic_m4")
    core = load_core(board.core)
    firmware = tinysim.compile(DEMO_MODEL, board).firmware
    session = Session(firmware, board, core)
    first, second = (random_inputs(firmware.inputs, seed) for seed in (1, 2))
    session.infer(second)
    snapshot = session.snapshot()
    once = session.infer(first)
    assert session.snapshot() != snapshot
    session.restore(snapshot)
    assert session.snapshot() == snapshot
    again = session.infer(first)
    np.testing.assert_array_equal(once.outputs[0], again.outputs[0])
    assert once.layers == again.layers


def test_random_truth_values_are_made_for_inputs_of_that_type() -> None:
    (made,) = random_inputs([TensorInfo("", (50,), "bool", 0, None, None)])
    assert made.dtype == bool and 0 < made.sum() < 50
