"""Ranking boards: verdicts and their reasons, duty cycles, and what the command prints."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import tinysim
from tests.conftest import DEMO_MODEL
from tinysim import api
from tinysim.boards import board_names, load_board
from tinysim.cli import app
from tinysim.errors import FaultError, ModelError
from tinysim.ranking import Ranking, Wish, judge, ordered, rank, real_boards
from tinysim.ranking.duty import Band, Duty, average_w, battery_life_s, joules, watts
from tinysim.ranking.render import as_json, markdown, rows
from tinysim.simulator.profile import Energy, Profile

BOARD = load_board("nucleo_u575zi_q")
BOARDS = ("rpi_pico", "nucleo_u575zi_q", "nucleo_g0b1re")


@pytest.fixture(scope="module")
def profile() -> Profile:
    return tinysim.run(DEMO_MODEL, "nucleo_u575zi_q")


@pytest.fixture(scope="module")
def ranking() -> Ranking:
    duty = Duty(period_s=10, battery_j=joules("220 mAh@3 V"))
    return rank(DEMO_MODEL, BOARDS, Wish(latency_s=20e-3, duty=duty))


def test_boards_that_pass_come_first_and_the_others_say_why(ranking: Ranking) -> None:
    assert [one.board for one in ranking.candidates] == [
        "nucleo_u575zi_q",
        "rpi_pico",
        "nucleo_g0b1re",
    ]
    first, second, third = ranking.candidates
    assert first.verdict == "passes" and first.reasons == () and first.grade == "A"
    assert second.verdict == third.verdict == "fails"
    assert second.reasons == ("slower than 20 ms",) and second.asleep == "board"
    assert third.energy_j is None and third.unknowns == ("no measured power",)
    assert third.average_w is None and third.battery_life_s is None
    assert ranking.best is first


def test_battery_life_is_that_of_inference_and_sleep(ranking: Ranking) -> None:
    one = ranking.candidates[0]
    assert one.latency_s and one.energy_j and one.average_w and one.battery_life_s
    asleep_j = 8.95e-6 * 3.3 * (10 - one.latency_s.typical)
    assert one.average_w.typical == pytest.approx((one.energy_j.typical + asleep_j) / 10)
    assert one.battery_life_s.typical == pytest.approx(0.22 * 3600 * 3 / one.average_w.typical)
    assert one.battery_life_s.low < one.battery_life_s.typical < one.battery_life_s.high


def test_several_processes_find_what_one_does(ranking: Ranking) -> None:
    assert rank(DEMO_MODEL, BOARDS, ranking.wish, jobs=2) == ranking


def test_limit_inside_the_error_band_may_fail(profile: Profile) -> None:
    slowest = profile.latency_band_s[1]
    inside = judge(profile, BOARD, Wish(latency_s=(profile.latency_s + slowest) / 2))
    assert inside.verdict == "may fail" and inside.reasons[0].startswith("perhaps slower than")
    assert judge(profile, BOARD, Wish(latency_s=slowest)).verdict == "passes"
    short = judge(profile, BOARD, Wish(duty=Duty(profile.latency_s / 2)))
    assert short.verdict == "fails" and "slower than a period" in short.reasons[0]


def test_what_does_not_fit_says_by_how_much(profile: Profile) -> None:
    small = [
        replace(region, size_bytes=10_000) if region.name == "sram" else region
        for region in profile.regions
    ]
    one = judge(replace(profile, regions=tuple(small)), BOARD, Wish())
    over = profile.used_bytes("ram") - 10_000
    assert one.verdict == "fails" and one.reasons == (f"sram over by {over:,} B",)


def test_unknown_current_asleep_gives_no_battery_life(profile: Profile) -> None:
    duty = Duty(10, 100.0)
    awake = replace(BOARD, sleep=None)
    one = judge(profile, awake, Wish(duty=duty))
    assert one.battery_life_s is None and one.unknowns == ("no known current asleep",)
    given = judge(profile, awake, Wish(duty=replace(duty, sleep_w=1e-5)))
    assert given.battery_life_s is not None and given.asleep == "as given"


def test_failure_on_one_board_is_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*arguments: Any, **options: Any) -> None:
        raise FaultError("a bad access", where="x", fix="y", pc=4, symbol="main")

    monkeypatch.setattr(api, "run", fault)
    (one,) = rank(DEMO_MODEL, ["rpi_pico"]).candidates
    assert one.verdict == "unknown" and one.reasons == ("could not be run: a bad access",)


def test_model_that_cannot_be_used_is_an_error_from_any_process(tmp_path: Path) -> None:
    for jobs in (1, 2):
        with pytest.raises(ModelError, match="No such file"):
            rank(tmp_path / "missing.tflite", BOARDS, jobs=jobs)


def test_errors_pass_from_one_process_to_another() -> None:
    error = FaultError("what", where="where", fix="fix", pc=4, symbol="main")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is FaultError and str(again) == str(error)
    assert (again.pc, again.symbol, again.where) == (4, "main", "where")


@pytest.mark.parametrize("sort", ["latency", "energy", "ram", "flash", "battery"])
def test_order_is_by_what_is_asked_for(ranking: Ranking, sort: str) -> None:
    passing = [replace(one, verdict="passes") for one in reversed(ranking.candidates)]
    order = [one.board for one in ordered(passing, sort)]
    small = ["nucleo_g0b1re", "rpi_pico", "nucleo_u575zi_q"]
    fast = ["nucleo_u575zi_q", "rpi_pico", "nucleo_g0b1re"]
    assert order == (small if sort in ("ram", "flash") else fast)
    assert ordered(ranking.candidates, sort)[0].board == "nucleo_u575zi_q"


def test_yardsticks_are_no_boards_to_buy() -> None:
    assert set(board_names()) - set(real_boards()) == {
        name for name in board_names() if name.startswith("generic_")
    }


def test_duty_cycle_adds_up() -> None:
    energy = Energy(1e-3, 2e-3, 3e-3, "mode", "source")
    average = average_w(Duty(2.0), 0.5, energy, 1e-3)
    expected = [1.25e-3, 1.75e-3, 2.25e-3]
    assert [average.low, average.typical, average.high] == pytest.approx(expected)
    assert battery_life_s(9.0, Band(1.0, 2.0, 3.0)) == Band(3.0, 4.5, 9.0)


def test_batteries_and_powers_are_read_with_their_units() -> None:
    assert joules("220 mAh@3 V") == joules("220mAh@3V") == pytest.approx(2376)
    assert joules("2.4 kJ") == 2400 and joules("0.5 Wh") == 1800
    assert watts("2 uA@3 V") == pytest.approx(6e-6) and watts("5µW") == pytest.approx(5e-6)
    for wrong, what in (
        ("220", "has no unit; write it like 1.2 mJ"),
        ("220 mAh", "has the unit mAh; write it like 0.66 Wh"),
        ("0 J", "is nothing"),
        ("-1 J", "is negative"),
        ("2 kJ@3 V", "has the unit kJ; write it like 220 mAh"),
        ("1 MJ", "has the unit MJ"),
        ("", "is no number with a unit"),
    ):
        with pytest.raises(ValueError, match=what):
            joules(wrong)
    for wrong, what in (
        ("5", "has no unit; write it like 80 mW"),
        ("5 uA", "has the unit uA"),
        ("1 W@1 V", "has the unit W; write it like 2 uA"),
    ):
        with pytest.raises(ValueError, match=what):
            watts(wrong)


def test_renderings_are_the_same_each_time_and_escape_names(ranking: Ranking) -> None:
    data = json.loads(as_json(ranking))
    assert as_json(ranking) == as_json(ranking)
    assert data["candidates"][0]["board"] == "nucleo_u575zi_q" and data["wish"]["latency_s"] == 0.02
    page = markdown(replace(ranking, model_name="a|b`<script>\n"))
    assert page.startswith("Boards for `a?b??script??`, by latency\n")
    widths = {line.count("|") for line in page.splitlines() if line.startswith("|")}
    assert len(widths) == 1 and page.count("\n| ") == len(BOARDS) + 2
    assert rows(ranking)[0][1].startswith("5.79 (")


def test_command_prints_a_table_and_says_which_is_best(tmp_path: Path) -> None:
    options = ["--period", "10 s", "--battery", "2.4 kJ", "--sort", "battery", "--jobs", "1"]
    boards = ["-b", "nucleo_u575zi_q", "-b", "rpi_pico"]
    target = tmp_path / "ranking.json"
    command = ["boards", "rank", str(DEMO_MODEL), *boards, *options, "--json", str(target)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "best by battery: nucleo_u575zi_q" in result.stdout and "asleep: chip" in result.stdout
    assert json.loads(target.read_text())["wish"]["duty"]["battery_j"] == 2400


def test_command_fails_if_no_board_will_do() -> None:
    command = ["boards", "rank", str(DEMO_MODEL), "-b", "rpi_pico", "--latency", "1ms", "-j", "1"]
    result = CliRunner().invoke(app, [*command, "--markdown", "-"])
    assert result.exit_code == 1 and "| fails | slower than 1 ms |" in result.stdout


def test_options_that_make_no_sense_are_refused() -> None:
    for wrong in (
        ["--sort", "price"],
        ["--battery", "2.4 kJ"],
        ["--period", "10 s", "--battery", "2 litres"],
        ["--sort", "battery", "--period", "1s"],
        ["--latency", "fast"],
    ):
        result = CliRunner().invoke(app, ["boards", "rank", str(DEMO_MODEL), *wrong])
        assert result.exit_code == 2, wrong
