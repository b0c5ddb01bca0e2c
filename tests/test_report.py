"""Reports: every format renders, names stay text, counters add up."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import tinysim
from tests.conftest import DEMO_MODEL
from tinysim.report import FORMATS, render
from tinysim.simulator.profile import STALLS, Counters, OutputCheck, Profile

HOSTILE = "<script>alert(1)</script>[bold]x[/bold]\x1b[31m"


@pytest.fixture(scope="module")
def profile() -> Profile:
    return tinysim.run(DEMO_MODEL, "nano33ble")


@pytest.mark.parametrize("format", FORMATS)
def test_format_renders_the_same_twice(profile: Profile, format: str) -> None:
    assert render(profile, format) == render(profile, format) != ""


@pytest.mark.parametrize("format", FORMATS)
def test_hostile_names_stay_text(profile: Profile, format: str) -> None:
    layers = (replace(profile.layers[0], name=HOSTILE), *profile.layers[1:])
    text = render(replace(profile, model_name=HOSTILE, layers=layers), format)
    assert "\x1b" not in text
    if format == "html":
        assert "<script>alert" not in text
    if format == "text":
        assert "[bold]" in text
    if format == "json":
        assert json.loads(text)["model"]["name"] == HOSTILE


def test_notebook_shows_the_report(profile: Profile) -> None:
    html = tinysim.api.Result(**vars(profile))._repr_html_()
    assert html.startswith("<pre") and "CONV_2D" in html


def test_wrong_output_is_shouted(profile: Profile) -> None:
    wrong = replace(profile, output_check=OutputCheck("mismatch", "host", 3))
    assert "OUTPUT WRONG: differs from the host's by 3" in render(wrong, "text")


def test_total_of_counters_adds_up_cause_by_cause() -> None:
    one = Counters(10, 8, {"load": 3, "branch": 1})
    two = Counters(5, 5, {"load": 2})
    total = Counters.total([one, two])
    assert (total.instructions, total.issue_cycles, total.cycles) == (15, 13, 19)
    assert set(total.stalls) == set(STALLS) and total.stalls["load"] == 5
