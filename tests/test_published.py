"""Published results: the data agrees with its origin, and is shown for its model and board only."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

import tinysim
from tests.conftest import DEMO_MODEL
from tinysim.boards import Clock, board_names, load_board
from tinysim.errors import MeasurementError
from tinysim.report import render
from tinysim.simulator.profile import Published
from tinysim.traces.published import parse_suite, published_on, suites

KWS = "aeea436800704fce17b17292e4412630ad856e9d777c044c64ef748a880bd0ae"
VWW_FLOAT = "115bbc094d2119561320a21f01b6500a18bea8cc8589282ab007097bec8af38c"
SUITE = """
suite = "Suite"
[model.ab]
workload = "kws"
precision = "int8"
source = "somewhere"
[[system]]
board = "nano33ble"
round = "1"
submitter = "somebody"
stack = "software"
precision = "int8"
clock_hz = 64_000_000
source = "somewhere else"
latency_s = { kws = 0.1 }
"""


def refused(text: str) -> str:
    with pytest.raises(MeasurementError) as caught:
        parse_suite(text, "test")
    return str(caught.value)


def test_every_system_is_on_a_board_that_we_have_at_its_clock() -> None:
    for suite in suites():
        for system in suite.systems:
            assert system.board in board_names()
            assert system.clock_hz == load_board(system.board).clock.hz


def test_best_published_result_comes_first() -> None:
    found = published_on(load_board("nucleo_l4r5zi"), KWS)
    assert found[0].stack == "X-CUBE-AI 9.0; MLPerf Tiny v1.2"
    assert found[0].latency_s == pytest.approx(43.1867e-3)
    assert found[0].energy_j == pytest.approx(1820.454e-6)
    assert "mlcommons/tiny_results_v1.2 closed/STMicroelectronics" in found[0].source
    assert "1.8 V, single bank" in found[0].source
    assert list(found) == sorted(found, key=lambda one: one.latency_s)


def test_only_the_same_model_of_the_same_precision_on_the_same_board_counts() -> None:
    assert published_on(load_board("nucleo_l4r5zi"), "0" * 64) == ()
    assert published_on(load_board("rpi_pico"), KWS) == ()
    (only,) = published_on(load_board("nucleo_h7a3zi_q"), VWW_FLOAT)
    assert only.latency_s == pytest.approx(81.416e-3)


def test_another_clock_is_named() -> None:
    board = load_board("nucleo_l4r5zi")
    slower = replace(board, clock=Clock(80_000_000, "as firmware sets it"))
    assert published_on(slower, KWS)[0].stack.startswith("X-CUBE-AI 9.0 at 120 MHz;")


def test_figures_are_those_of_their_origin(shared: Path) -> None:
    with (shared / "reference" / "hardware_measurements.csv").open() as stream:
        origin = {
            (row["source"], row["metric"]): float(row["value"])
            for row in csv.DictReader(stream)
            if row["metric"] in ("latency", "energy")
        }
    kinds = {"latency": ("performance", 1e-3), "energy": ("energy", 1e-6)}
    for suite in suites():
        for system in suite.systems:
            for metric, figures in (("latency", system.latency_s), ("energy", system.energy_j)):
                run, unit = kinds[metric]
                for workload, value in figures.items():
                    row = origin[f"{system.source}/{workload}/{run}", metric]
                    assert value == pytest.approx(row * unit)


def test_models_are_those_of_the_manifest(shared: Path) -> None:
    text = (shared / "models" / "MANIFEST.csv").read_text()
    for suite in suites():
        for model in suite.models:
            path = model.source.split()[-1]
            assert any(model.sha256 in line and path in line for line in text.splitlines())


def test_row_that_is_not_complete_is_refused() -> None:
    assert parse_suite(SUITE, "test").systems[0].latency_s == {"kws": 0.1}
    assert "somewhere else: missing 'stack'" in refused(SUITE.replace('stack = "software"', ""))
    assert "missing 'source'" in refused(SUITE.replace("somewhere else", ""))
    changed = SUITE.replace("{ kws = 0.1 }", "{ vww = -0.1 }\ncolour = 1")
    assert "unknown key 'colour'" in refused(changed)
    changed = SUITE.replace("{ kws = 0.1 }", "{ vww = -0.1 }\nenergy_j = { ad = 1 }")
    message = refused(changed)
    for what in ("'vww' is no workload", "energy of 'ad' without", "needs positive figures"):
        assert what in message
    assert "system" in refused(SUITE.split("[[system]]")[0])
    assert "test" in refused("suite = ")


def test_report_shows_the_best_three_beside_ours() -> None:
    profile = tinysim.run(DEMO_MODEL, "generic_m4")
    assert profile.published == () and "published" not in render(profile, "text")
    others = tuple(Published(f"stack {i}", i / 1000, None, "a source") for i in range(1, 5))
    shown = render(replace(profile, published=others), "text")
    assert "(ours 10.1 ms): 1 ms (stack 1), 2 ms (stack 2), 3 ms (stack 3)\n" in shown


def test_run_finds_what_was_published(shared: Path) -> None:
    profile = tinysim.run(shared / "models" / "mlperf_ad_int8.tflite", "nucleo_u575zi_q")
    assert profile.published[0].latency_s == pytest.approx(3.0909e-3)
    assert "HALE 1.0.175; MLPerf Tiny v1.2" in render(profile, "text")
