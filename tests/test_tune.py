"""Choosing kernels by simulation: made-up candidates that the cost rule is wrong about."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

import tinysim
from tests.conftest import DEMO_MODEL
from tests.test_cli import SCHEMA
from tests.test_cli import tinysim as command
from tinysim.boards import load_board
from tinysim.compiler import Choices, other_kernels
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.readers import read_model
from tinysim.compiler.variants import Candidate, Variant
from tinysim.firmware import Target
from tinysim.report import render
from tinysim.simulator.cores import load_core
from tinysim.simulator.tuning import TunedLayer, Tuning
from tinysim.tune import cache, tuned

BOARD = load_board("generic_m4")
KERNEL, TUNED = "conv_2d_s8", "conv_2d_s8_dsp"
#: The demo model's convolutions.
LAYERS = {0, 2, 4, 7}


class MadeUp(Variant):
    """Offers what a test wants; filed by the test only."""

    def __init__(self, *offers: Callable[[KernelCall], Candidate]) -> None:
        self.offers = offers

    def runs_on(self, target: Target) -> bool:
        return True

    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        for offer in self.offers:
            yield offer(call)


def slow(call: KernelCall) -> Candidate:
    """The portable kernel, which the rule believes to be the fastest."""
    return Candidate("slow", call, 1.0)


def wrong(call: KernelCall) -> Candidate:
    """Leaves most of the window out: fast."""
    return Candidate("wrong", replace(call, params={**call.params, "filter_h": 1}), 2.0)


def unbuildable(call: KernelCall) -> Candidate:
    """Has a parameter that the kernel does not know."""
    return Candidate("unbuildable", replace(call, params={**call.params, "nonsense": 1}), 3.0)


def faulting(call: KernelCall) -> Candidate:
    """Reads where nothing is."""
    far = {"input_h": 20_000, "input_w": 20_000, "pad_top": -15_000}
    return Candidate("faulting", replace(call, params={**call.params, **far}), 4.0)


def large(call: KernelCall) -> Candidate:
    """Computed like the portable kernel, with a table that nobody reads."""
    return Candidate("large", replace(call, constants=call.constants * 9), 9.0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tinysim" / "tuning"


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """File candidates for the convolutions, beside one that there is or alone, and no others."""
    real = Variant._registry[KERNEL]

    def file(*offers: Callable[[KernelCall], Candidate], alone: bool = False) -> None:
        there = [one for one in real if type(one).__module__.endswith(f".{TUNED}") and not alone]
        monkeypatch.setattr(Variant, "_registry", {KERNEL: [MadeUp(*offers), *there]})

    return file


def test_faster_candidates_are_found(offer: Callable[..., None]) -> None:
    offer(slow)
    rule = tinysim.run(DEMO_MODEL, BOARD)
    profile = tinysim.run(DEMO_MODEL, BOARD, tune=True)
    assert {layer.kernel for layer in rule.layers if layer.index in LAYERS} == {KERNEL}
    assert {layer.kernel for layer in profile.layers if layer.index in LAYERS} == {TUNED}
    assert profile.output_check.status == "exact"
    found = profile.tuning
    assert found is not None and found.trials > 2  # the rule, "dsp", portable
    assert (found.rule_cycles, found.cycles) == (rule.cycles, profile.cycles)
    assert profile.cycles < rule.cycles / 2
    for layer in found.layers:
        assert layer.kernel == TUNED
        assert layer.cycles == profile.layers[layer.index].counters.cycles
        assert layer.rule_cycles == rule.layers[layer.index].counters.cycles
    assert {layer.index for layer in found.layers} == LAYERS
    jsonschema.validate(json.loads(render(profile, "json")), json.loads(SCHEMA.read_text()))
    assert f"layer 4: {TUNED}" in render(profile, "text")


def test_the_rule_is_followed_if_it_is_right(offer: Callable[..., None]) -> None:
    offer()
    profile = tinysim.run(DEMO_MODEL, BOARD, tune=True)
    assert profile.tuning is not None
    assert profile.cycles == tinysim.run(DEMO_MODEL, BOARD).cycles == profile.tuning.cycles
    assert profile.tuning.layers == ()
    assert "nothing is faster" in render(profile, "text")
    assert tinysim.run(DEMO_MODEL, BOARD).tuning is None


def test_candidates_that_fail_are_not_taken(offer: Callable[..., None]) -> None:
    offer(slow, wrong, unbuildable, faulting, alone=True)
    _, found = tuned(DEMO_MODEL, BOARD, Choices())
    assert found.trials == 2  # the rule, portable
    assert found.layers == ()


def test_picks_of_the_user_stay(offer: Callable[..., None]) -> None:
    offer(slow)
    choices, found = tuned(DEMO_MODEL, BOARD, Choices(picks=((2, KERNEL), (4, "slow"))))
    assert {layer.index for layer in found.layers} == LAYERS - {2, 4}
    assert choices.picks == ((0, TUNED), (2, KERNEL), (4, "slow"), (7, TUNED))


@pytest.mark.parametrize("optimize", ["balanced", "size"])
def test_what_optimize_leaves_out_is_not_tried(offer: Callable[..., None], optimize: str) -> None:
    offer(large, alone=True)
    graph, target = read_model(DEMO_MODEL), load_core(BOARD.core).target
    names = other_kernels(graph, target, Choices(optimize=optimize))
    assert "large" not in {name for node in names for name in node}
    assert KERNEL in other_kernels(graph, target, Choices())[4]


def test_progress_is_told_and_an_answer_is_kept(offer: Callable[..., None], folder: Path) -> None:
    offer(slow)
    said: list[list[str]] = [[], [], []]
    first = tuned(DEMO_MODEL, BOARD, Choices(), on_stage=said[0].append)
    assert said[0][1].startswith("tuning: round 1 of ")
    assert tuned(DEMO_MODEL, BOARD, Choices(), on_stage=said[1].append) == first
    assert said[1] == []
    tuned(DEMO_MODEL, replace(BOARD, hse_hz=1), Choices(), on_stage=said[2].append)
    assert said[2] == said[0]
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: b"",
        lambda text: text[:-3],
        lambda text: b"\xff" + text,
        lambda text: text.replace(b'"index": 4', b'"index": 40'),
        lambda text: text.replace(b'"index": 4', b'"index": -1'),
        lambda text: text.replace(b'"index": 4', b'"index": true'),
        lambda text: text.replace(TUNED.encode(), b"nonsense"),
        lambda text: text.replace(b'"cycles": ', b'"cycles": -'),
        lambda text: text.replace(b'"trials"', b'"trails"'),
        lambda text: b"[" * 100_000,
        lambda text: b'{"layers": 3}',
    ],
)
def test_entries_that_make_no_sense_are_as_good_as_absent(damage: Callable[[bytes], bytes]) -> None:
    others = ((), ("a",), (), (), (TUNED, KERNEL))
    tuning = Tuning(3, 20, 10, (TunedLayer(4, TUNED, 5, 15),))
    assert cache.read("key", others) is None
    cache.write("key", tuning)
    assert cache.read("key", others) == tuning
    held = cache.CACHE.read("key")
    assert held is not None and damage(held) != held
    cache.CACHE.write("key", damage(held))
    assert cache.read("key", others) is None
    cache.write("key", tuning)
    assert cache.read("key", others) == tuning


def test_commands_tune(tmp_path: Path) -> None:
    where = {"XDG_CACHE_HOME": str(tmp_path)}
    run = command("run", DEMO_MODEL, "-b", "generic_m4", "--tune", **where)
    diff = command("diff", DEMO_MODEL, "-b", "generic_m4", "--tune", **where)
    place = tmp_path / "out"
    made = command("compile", DEMO_MODEL, "-b", "generic_m4", "-o", place, "--tune", **where)
    for result in (run, diff, made):
        assert result.returncode == 0, result.stderr
        assert "tuned in" in result.stdout
    assert len(list((tmp_path / "tinysim" / "tuning").iterdir())) == 1
