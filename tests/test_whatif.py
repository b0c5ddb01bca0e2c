"""What if: each variation is what a run of its own would be, and nothing is done twice."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

import tinysim
from tests.conftest import DEMO_MODEL
from tinysim.boards import Board, MemoryRegion, load_board
from tinysim.cli import app
from tinysim.compiler import Choices, compile_graph
from tinysim.compiler.readers import read_model
from tinysim.errors import InternalError, ToolchainError
from tinysim.simulator.profile import OutputCheck, Profile
from tinysim.whatif import GROUPS, Outcome, WhatIf, effect, what_if
from tinysim.whatif import bench as bench_module
from tinysim.whatif.bench import Bench
from tinysim.whatif.render import as_json, rows, times
from tinysim.whatif.tornado import html, svg
from tinysim.whatif.variations import Variation, caches, clocks, cores, wait_states

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board("nucleo_l4r5zi")


@pytest.fixture(scope="module")
def profile(board: Board) -> Profile:
    return tinysim.run(DEMO_MODEL, board)


@pytest.fixture(scope="module")
def found(board: Board) -> WhatIf:
    tiny = MemoryRegion("tiny", "ram", 0x1000_0000, 1024, "for this test")
    return what_if(DEMO_MODEL, replace(board, regions=(*board.regions, tiny)))


def outcome(found: WhatIf, what: str) -> Outcome:
    return next(one for one in found.outcomes if one.what == what)


def test_today_is_what_a_run_finds(found: WhatIf, profile: Profile) -> None:
    today = found.today
    assert (today.cycles, today.latency_s) == (profile.cycles, profile.latency_s)
    assert profile.energy is not None and today.energy_j == profile.energy.typical_j
    assert today.ram_bytes == profile.used_bytes("ram")
    assert today.flash_bytes == profile.used_bytes("flash")
    assert today.fits and found.model_sha256 == profile.model_sha256


def test_variations_are_what_runs_of_their_own_find(found: WhatIf, board: Board) -> None:
    def run(varied: Board, **choices: Any) -> int:
        return tinysim.run(DEMO_MODEL, varied, **choices).cycles

    place = board.placement
    in_sram = replace(board, placement=replace(place, weights="sram"))
    assert outcome(found, "weights in sram").cycles == run(in_sram)
    assert outcome(found, "--optimize size").cycles == run(board, optimize="size")
    assert outcome(found, "cortex_m33").cycles == run(replace(board, core="cortex_m33"))


def test_memory_that_is_better_is_faster(found: WhatIf) -> None:
    cycles = {one.what: one.cycles for one in found.outcomes} | {"today": found.today.cycles}
    order = ["flash without wait states", "today", "flash waits 2 cycles longer"]
    assert [cycles[what] for what in order] == sorted(cycles[what] for what in order)
    order = ["caches twice as large", "today", "caches half as large", "caches off"]
    assert [cycles[what] for what in order] == sorted(cycles[what] for what in order)


def test_what_matters_most_comes_first(found: WhatIf) -> None:
    effects = [effect(one, found.today) for one in found.outcomes]
    assert effects == sorted(effects, reverse=True) and effects[0] > 2
    assert {one.group for one in found.outcomes} == set(GROUPS)


def test_weights_in_ram_take_ram_and_still_flash(found: WhatIf, profile: Profile) -> None:
    weights = profile.used_bytes("flash", "weights")
    one = outcome(found, "weights in sram")
    assert one.ram_bytes >= found.today.ram_bytes - profile.arena_bytes + weights
    assert one.flash_bytes > weights and one.fits
    both = outcome(found, "code and weights in sram")
    assert both.ram_bytes > one.ram_bytes and both.flash_bytes == one.flash_bytes


def test_what_has_no_room_is_a_note(found: WhatIf) -> None:
    assert any(
        note.startswith("weights in tiny: tiny has 1,024 B, 8,152 B") for note in found.notes
    )
    assert all(one.what not in ("weights in tiny", "arena in tiny") for one in found.outcomes)


def test_nobody_knows_the_power_of_another_clock_or_core(found: WhatIf) -> None:
    for one in found.outcomes:
        assert (one.energy_j is None) == (one.group in ("clock", "core"))


def test_clock_changes_wait_states_so_that_flash_is_as_fast(board: Board) -> None:
    half, double = clocks(board, Choices())
    assert (half.what, double.what) == (
        "60 MHz, flash 2 wait states",
        "240 MHz, flash 11 wait states",
    )
    assert [one.board.clock.hz for one in (half, double)] == [60_000_000, 240_000_000]
    assert list(clocks(load_board("rpi_pico"), Choices())) == []
    plain = [one.what for one in clocks(load_board("generic_m4"), Choices())]
    assert plain == ["50 MHz", "200 MHz"]


def test_memory_that_does_not_wait_is_not_varied() -> None:
    for vary in (wait_states, caches):
        assert list(vary(load_board("generic_m4"), Choices())) == []
    kinds = [one.what for one in cores(load_board("nucleo_h7a3zi_q"), Choices())]
    assert "cortex_m7_sp" not in kinds and len(kinds) == 4


def test_caches_keep_their_shape(board: Board) -> None:
    half = next(one for one in caches(board, Choices()) if "half" in one.what).board
    assert [(one.lines, one.ways) for one in half.caches] == [(16, 16), (4, 4)]
    disco = load_board("disco_f746ng")
    double = next(one for one in caches(disco, Choices()) if "twice" in one.what).board
    assert [(one.lines, one.ways) for one in double.caches] == [(256, 2), (256, 4)]


def test_the_same_firmware_is_neither_compiled_nor_run_twice(board: Board) -> None:
    bench = Bench(read_model(DEMO_MODEL), "demo", board, Choices())
    assert (bench.compilations, bench.simulations) == (1, 1)
    faster = replace(board, clock=replace(board.clock, hz=1_000_000_000))
    bench.run(Variation("clock", "1 GHz", faster, Choices(), True))
    assert (bench.compilations, bench.simulations) == (1, 1)
    bench.run(Variation("compiler", "the same", board, Choices(patches=False)))
    assert (bench.compilations, bench.simulations) == (2, 1)


def test_work_is_counted(found: WhatIf) -> None:
    same_code = {"clock", "memory"}
    count = sum(one.group not in same_code for one in found.outcomes) + len(found.alike)
    assert found.compilations == 1 + count
    assert found.simulations <= 1 + len(found.outcomes)


def test_portable_kernels_are_portable(board: Board) -> None:
    bench = Bench(read_model(DEMO_MODEL), "demo", board, Choices())
    picks = dict(bench.portable(Choices()).picks)
    profile = tinysim.run(DEMO_MODEL, board, picks=tuple(picks.items()))
    assert all(layer.kernel.endswith("_s8") for layer in profile.layers)


def test_model_that_does_not_fit_is_varied_all_the_same(board: Board) -> None:
    small = [replace(r, size_bytes=8192) if r.name == "sram" else r for r in board.regions]
    found = what_if(DEMO_MODEL, replace(board, regions=tuple(small), banks=()), groups=["compiler"])
    assert not found.today.fits
    assert {"--optimize size", "portable kernels"} <= {one.what for one in found.outcomes}
    assert rows(found)[0][-1] == "no"


def test_failed_variation_is_a_note(monkeypatch: pytest.MonkeyPatch, board: Board) -> None:
    def refuse(*arguments: Any) -> Any:
        if arguments[-1].optimize == "size":
            raise ToolchainError("no such flag", where="gcc", fix="none")
        return compile_graph(*arguments)

    monkeypatch.setattr(bench_module, "compile_graph", refuse)
    found = what_if(DEMO_MODEL, board, groups=["compiler"])
    assert "--optimize size: no such flag" in found.notes


def test_wrong_output_is_a_note_and_today_an_error(
    monkeypatch: pytest.MonkeyPatch, board: Board
) -> None:
    checks = iter(["exact", *["mismatch"] * 9])

    def check(expected: Any, given: Any) -> OutputCheck:
        return OutputCheck(next(checks), "a host", 9)

    monkeypatch.setattr(bench_module, "check_outputs", check)
    found = what_if(DEMO_MODEL, board, groups=["compiler"])
    assert found.outcomes == ()
    assert any(note.startswith("portable kernels: WRONG OUTPUT") for note in found.notes)
    with pytest.raises(InternalError, match="WRONG OUTPUT"):
        what_if(DEMO_MODEL, board, groups=["compiler"])


def test_table_has_bars_on_either_side(found: WhatIf) -> None:
    first, *others = rows(found)
    assert first[:6] == ["", "as it is", "", "", first[4], ""]
    for one, row in zip(found.outcomes, others, strict=True):
        is_slower = one.latency_s > found.today.latency_s
        assert bool(row[3]) == is_slower and bool(row[2]) == (one.latency_s < found.today.latency_s)
    assert others[0][3] == "█" * 12
    assert [times(0.9), times(1.25), times(0.25), times(8)] == ["-10.0%", "+25.0%", "x0.25", "x8"]


def test_json_is_the_same_each_time(found: WhatIf) -> None:
    data = json.loads(as_json(found))
    assert data["today"]["cycles"] == found.today.cycles
    assert len(data["outcomes"]) == len(found.outcomes)
    assert as_json(found) == as_json(found)


def test_plot_is_one_accessible_file(found: WhatIf) -> None:
    image = svg(replace(found, model_name="<script>&\n"))
    root = ElementTree.fromstring(image)
    title = root.find(f"{SVG}title")
    assert title is not None and title.text == "What matters for <script>&? on NUCLEO-L4R5ZI"
    assert root.find(f"{SVG}desc") is not None and root.get("aria-labelledby")
    assert "prefers-color-scheme: dark" in image
    assert image.count("http") == 1 and "<script" not in image
    bars = root.findall(f"{SVG}g")
    assert [bar.get("aria-label", "").split(":")[0] for bar in bars] == [
        one.what for one in found.outcomes
    ]
    axis = float(root.findall(f"{SVG}line")[-1].get("x1", ""))
    for bar, one in zip(bars, found.outcomes, strict=True):
        rectangle = bar.find(f"{SVG}rect")
        assert rectangle is not None
        left, width = float(rectangle.get("x", "")), float(rectangle.get("width", ""))
        at_axis = left if one.latency_s >= found.today.latency_s else left + width
        assert at_axis == pytest.approx(axis, abs=0.11)
    page = html(replace(found, model_name="<script>"))
    assert page.startswith("<!doctype html>") and "<script" not in page


def test_command_prints_what_matters() -> None:
    command = ["whatif", str(DEMO_MODEL), "--board", "generic_m4", "--only", "clock"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "as it is" in result.stdout and "50 MHz" in result.stdout
    assert "1 compilations, 1 simulations" in result.stdout
    data = json.loads(CliRunner().invoke(app, [*command, "--json", "-"]).stdout)
    assert [one["what"] for one in data["outcomes"]] == ["200 MHz", "50 MHz"]
    assert CliRunner().invoke(app, [*command, "--only", "luck"]).exit_code == 2
