"""Every board file of the folder, and what the loader refuses."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from tests.conftest import ROOT
from tinysim.boards import board_names, load_board, parse_board
from tinysim.errors import BoardError
from tinysim.simulator.cores import core_names, load_core
from tinysim.traces.accuracy import timing_of


def table(name: str = "generic_m4") -> dict[str, Any]:
    return tomllib.loads((ROOT / "boards" / f"{name}.toml").read_text())


def refused(changed: dict[str, Any]) -> str:
    with pytest.raises(BoardError) as caught:
        parse_board(changed, where="test", sha256="")
    return str(caught.value)


@pytest.mark.parametrize("name", board_names())
def test_board_file_is_complete(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    assert board.core in core_names()
    assert all(region.source for region in board.regions)
    timing = timing_of(board, load_core(board.core), 3)
    assert timing.error_low <= 0 <= timing.error_high and timing.source
    assert {board.region(name).kind for name in board.placement.arena} == {"ram"}
    assert board.region(board.placement.constants).kind == "flash"


@pytest.mark.parametrize("name", board_names())
def test_last_place_for_the_arena_can_be_widened(name: str) -> None:
    board = load_board(name)
    last = board.region(board.placement.arena[-1])
    above = [region.base for region in board.regions if region.base > last.base]
    assert min(above, default=2**32) - last.end >= 16 * 2**20


def test_arduino_variant_differs_only_in_what_the_core_library_takes() -> None:
    bare, arduino = load_board("nano33ble"), load_board("nano33ble_arduino")
    assert arduino.clock == bare.clock and arduino.power == bare.power
    assert arduino.region("flash").usable_base == 144_032
    assert arduino.region("sram").usable_bytes == 262_144 - 52_656
    assert arduino.region("flash").wait_states == bare.region("flash").wait_states


def test_unknown_board_names_the_near_ones() -> None:
    with pytest.raises(BoardError, match="did you mean nano33ble"):
        load_board("nano33bel")


def test_number_without_source_does_not_load() -> None:
    changed = table()
    del changed["region"]["flash"]["source"]
    assert "missing 1 required positional argument: 'source'" in refused(changed)
    changed = table()
    changed["clock"]["source"] = " "
    assert "clock: needs a positive hz and a source" in refused(changed)


def test_all_problems_are_told_at_once() -> None:
    changed = table()
    changed["region"]["sram"]["colour"] = 1
    changed["speed"] = 1
    del changed["core"]
    message = refused(changed)
    assert "unknown key 'colour'" in message
    assert "unknown key 'speed'" in message
    assert "missing 'core'" in message


def test_overlapping_regions_are_refused() -> None:
    changed = table()
    changed["region"]["sram"]["base"] = 0x0800_1000
    assert "regions flash and sram overlap" in refused(changed)


def test_placement_in_no_region_is_refused() -> None:
    changed = table()
    changed["placement"]["stack"] = "ccm"
    assert "'ccm', which is no region" in refused(changed)


def test_sleep_needs_a_source_and_says_whose_current_it_is() -> None:
    changed = table()
    changed["sleep"] = {"current_a": 1e-6, "supply_v": 3.0, "mode": "Stop", "covers": "chip"}
    assert "missing 1 required positional argument: 'source'" in refused(changed)
    changed["sleep"] |= {"source": "", "covers": "me"}
    message = refused(changed)
    assert "sleep: needs a positive current_a and supply_v and a source" in message
    assert "covers is 'me', not chip or board" in message
    changed["sleep"] |= {"source": "a datasheet", "covers": "board"}
    board = parse_board(changed, where="test", sha256="")
    assert board.sleep is not None and board.sleep.power_w == pytest.approx(3e-6)


def test_no_code_lies_where_none_runs() -> None:
    changed = table("stm32f4_disco")
    changed["placement"]["code"] = "ccm"
    assert "no code runs in 'ccm'" in refused(changed)
    changed["placement"] |= {"code": "flash", "weights": "ccm"}
    assert parse_board(changed, where="test", sha256="").placement.constants == "ccm"
    changed["placement"]["weights"] = "sram9"
    assert "'sram9', which is no region" in refused(changed)
