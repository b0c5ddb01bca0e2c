"""Measured runs: complete, simulated with the tables of today, and the bands that come of them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.firmware import link
from tests.test_cli import tinysim as command
from tinysim.boards import board_names, load_board
from tinysim.errors import MeasurementError
from tinysim.simulator.cores import load_core
from tinysim.simulator.fingerprint import fingerprint
from tinysim.traces import Measurement, Trace, load_trace, measured_boards
from tinysim.traces.accuracy import ENOUGH, MARGIN, statistics, timing_of
from tinysim.traces.document import markdown
from tinysim.traces.rerun import images_in, simulate, updated

PROGRAM = """
volatile int n;
__attribute__((noipa)) void work(void) { for (int i = 0; i < 100; i++) n += i; }
int main(void) { work(); for (;;) {} }
"""


def row(measured: int, simulated: int, board: str = "generic_m4") -> Measurement:
    return Measurement(
        board, "work", "test", "none", 100_000_000, measured, simulated, "0" * 64, "test"
    )


@pytest.mark.parametrize("name", measured_boards())
def test_trace_is_complete_and_was_simulated_with_the_tables_of_today(name: str) -> None:
    trace, board = load_trace(name), load_board(name)
    assert name in board_names() and trace.measurements
    assert trace.fingerprint == fingerprint(board, load_core(board.core)), (
        "tables have changed: run `tinysim accuracy --images DIR --write` with the images"
    )
    assert all(abs(one.error) < 0.25 for one in trace.measurements)


def test_document_is_what_the_traces_say() -> None:
    assert (ROOT / "docs" / "accuracy.md").read_text() == markdown()


@pytest.mark.parametrize("name", board_names())
def test_band_holds_everything_that_was_measured(name: str) -> None:
    board = load_board(name)
    timing = timing_of(board, load_core(board.core), 3)
    assert -1 < timing.error_low <= 0 <= timing.error_high
    rows = load_trace(name).measurements if name in measured_boards() else ()
    exact = [one for one in rows if not one.is_rebuilt]
    counting = exact if len(exact) >= ENOUGH else rows
    if len(counting) >= ENOUGH:
        errors = [one.error for one in counting]
        assert timing.grade == "A"
        assert timing.error_low == pytest.approx(min(errors) - MARGIN)
        assert timing.error_high == pytest.approx(max(errors) + MARGIN)
    else:
        assert timing.grade in "BC"


def test_lower_fidelity_widens_the_band() -> None:
    board = load_board("nucleo_l4r5zi")
    core = load_core(board.core)
    assert timing_of(board, core, 1).error_low < timing_of(board, core, 3).error_low
    assert timing_of(board, core, 1).grade == "C"


def test_statistics_of_errors() -> None:
    found = statistics([row(100, 110), row(100, 95), row(200, 200)])
    assert found.count == 3 and found.worst == pytest.approx(0.1)
    assert found.mean_absolute == pytest.approx(0.05)
    assert [found.low, found.high] == pytest.approx([-0.05, 0.1])
    assert found.geometric_mean == pytest.approx((1.1 * 0.95) ** (1 / 3))


def test_fingerprint_follows_what_costs_cycles_and_nothing_else() -> None:
    board = load_board("nucleo_l4r5zi")
    core = load_core(board.core)
    same = fingerprint(board, core)
    assert fingerprint(replace(board, title="x", power=None), core) == same
    slower = tuple(replace(r, wait_states=r.wait_states + 1) for r in board.regions)
    assert fingerprint(replace(board, regions=slower), core) != same
    costs = {**core.costs, "mul": replace(core.costs["mul"], cycles=2)}
    assert fingerprint(board, replace(core, costs=costs)) != same
    sources = {k: replace(cost, source="another") for k, cost in core.costs.items()}
    assert fingerprint(board, replace(core, costs=sources)) == same


def test_program_is_found_by_its_hash_and_simulated_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "work.elf"
    path.parent.mkdir()
    path.write_bytes(link(PROGRAM, "generic_m4"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert images_in(tmp_path) == {digest: path}
    cycles = simulate(replace(row(1000, 1), call="work"), path)
    assert 500 < cycles < 1500


def test_new_counts_replace_old_ones_in_place() -> None:
    text = 'fingerprint = "old"\n' + "".join(
        f"[[measurement]]\nsimulated_cycles = {n}\nx = 1\n" for n in (1, 1, 30)
    )
    old = Trace("generic_m4", "old", (row(10, 1), row(10, 1), row(10, 30)))
    new = updated(text, old, [row(10, 7), row(10, 8), row(10, 30)])
    counts = [line for line in new.splitlines() if line.startswith("simulated")]
    assert counts == [f"simulated_cycles = {n}" for n in (7, 8, 30)]
    board = load_board("generic_m4")
    assert new.startswith(f'fingerprint = "{fingerprint(board, load_core(board.core))}"')


def test_board_without_measurements_is_told() -> None:
    with pytest.raises(MeasurementError, match="nothing was measured"):
        load_trace("generic_m4")


def test_command_shows_errors_and_refuses_to_keep_what_it_did_not_simulate(tmp_path: Path) -> None:
    shown = command("accuracy").stdout
    assert "MLPerf Tiny KWS" in shown and "exact image" in shown
    refused = command("accuracy", "--images", str(tmp_path), "--write")
    assert refused.returncode == 2 and "nothing is kept" in refused.stderr
