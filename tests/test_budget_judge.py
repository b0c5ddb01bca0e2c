"""Limits and profiles -> verdicts: never better than the band allows, never worse when looser."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.profiles import layer, placed, profile
from tinysim.budget import (
    FAILS,
    MAY_FAIL,
    METRICS,
    PASSES,
    UNKNOWN,
    Case,
    CheckResult,
    Finding,
    Limit,
    Source,
)
from tinysim.budget.judge import judge, verdict
from tinysim.budget.measure import Measured, wilson
from tinysim.report.json import as_data
from tinysim.simulator.profile import OutputCheck, Profile, RegionUse

SOURCE = Source(Path("tinysim.toml"), 7)
PROFILE = profile()
WORSE = (PASSES, MAY_FAIL, FAILS)


def limit(metric: str, value: float, layers: str | None = None) -> Limit:
    return Limit(metric, value, "as written", SOURCE, layers)


def growth(of: str | None, value: float, is_absolute: bool = False) -> Limit:
    return Limit("regression", value, "as written", SOURCE, None, of, is_absolute)


def judged(one: Limit, what: Profile = PROFILE, **given: Any) -> Finding:
    """Return what becomes of one limit."""
    return judge(what, [one], **given)[-1]


@pytest.mark.parametrize(
    ("metric", "value", "ends"),
    [
        # 10 ms simulated; 8 ms to 12.5 ms on the board
        ("latency", 0.0125, PASSES),
        ("latency", 0.0124, MAY_FAIL),
        ("latency", 0.0099, MAY_FAIL),  # the simulated value alone breaks it
        ("latency", 0.008, MAY_FAIL),
        ("latency", 0.0079, FAILS),
        ("cycles", 12500, PASSES),
        ("cycles", 12499, MAY_FAIL),
        ("cycles", 8000, MAY_FAIL),
        ("cycles", 7999, FAILS),
        ("energy", 1.5e-3, PASSES),
        ("energy", 1.4e-3, MAY_FAIL),
        ("energy", 0.9e-3, MAY_FAIL),
        ("energy", 0.8e-3, FAILS),
        ("ram", 1200, PASSES),
        ("ram", 1199, FAILS),
        ("arena", 1000, PASSES),
        ("arena", 999, FAILS),
        ("stack", 199, FAILS),
        ("static", 0, PASSES),
        ("flash", 5000, PASSES),
        ("flash", 4999, FAILS),
        ("weights", 3999, FAILS),
        ("code", 999, FAILS),
        ("headroom", 0.5, PASSES),  # the flash is half full, the RAM less
        ("headroom", 0.51, FAILS),
        ("fits", 0, PASSES),
    ],
)
def test_verdicts(metric: str, value: float, ends: str) -> None:
    found = judged(limit(metric, value))
    assert found.verdict == ends
    assert bool(found.fixes) == (ends != PASSES)


def test_measured_values_are_those_of_the_profile() -> None:
    found = judged(limit("latency", 1))
    assert (found.measured, (found.low, found.high)) == (
        PROFILE.latency_s,
        PROFILE.latency_band_s,
    )
    assert found.message == "10 (8 to 12.5) ms, within 1 s"
    found = judged(limit("latency", 0.004))
    assert found.message == "10 (8 to 12.5) ms, over 4 ms by 6 ms"
    found = judged(limit("latency", 0.012))
    assert found.message == "10 (8 to 12.5) ms, at worst over 12 ms by 500 us"


def test_whether_it_fits_is_always_judged() -> None:
    assert [found.limit.metric for found in judge(PROFILE, [])] == ["fits"]
    assert [found.limit.metric for found in judge(PROFILE, [limit("ram", 1)])] == ["fits", "ram"]
    small = RegionUse("sram", "ram", 0, 1000, 0, 0, {"arena": 1000, "stack": 200})
    over = replace(PROFILE, regions=(PROFILE.regions[0], small))
    (found,) = judge(over, [])
    assert (found.verdict, found.measured) == (FAILS, 200)
    assert "sram over by 200 B" in found.message and "save 200 B" in found.fixes[0]


def test_a_band_that_does_not_hold_the_simulated_value() -> None:
    """Boards that are always slower than simulated: what is simulated is not enough."""
    assert verdict(Measured(10, 11, 12), 10.5) == FAILS
    assert verdict(Measured(10, 7, 8), 9) == MAY_FAIL
    assert verdict(Measured(10, 7, 8), 10) == PASSES


@given(
    band=st.tuples(*[st.floats(0, 1e9)] * 3), limits=st.tuples(st.floats(0, 1e9), st.floats(0, 1e9))
)
def test_a_looser_limit_never_gives_a_worse_verdict(
    band: tuple[float, float, float], limits: tuple[float, float]
) -> None:
    low, value, high = sorted(band)
    for one in (Measured(value, low, high), Measured(low, value, high), Measured(high, low, value)):
        strict, loose = (WORSE.index(verdict(one, limit)) for limit in sorted(limits))
        assert loose <= strict


@given(
    metric=st.sampled_from(sorted(METRICS)),
    values=st.tuples(st.floats(0, 2e4), st.floats(0, 2e4)),
    scale=st.sampled_from([1, 1e-4, 1e-7]),
)
def test_a_looser_limit_never_gives_a_worse_finding(
    metric: str, values: tuple[float, float], scale: float
) -> None:
    """Of any metric, whichever way it is limited."""
    baseline = as_data(profile(layers=PROFILE.layers[:2], runtime=PROFILE.startup))
    found = [
        judged(limit(metric, value * scale), accuracy=0.9, samples=50, baseline=baseline)
        for value in sorted(values, reverse=metric in ("accuracy", "headroom"))
    ]
    strict, loose = (WORSE.index(one.verdict) for one in found)
    assert loose <= strict


def test_energy_without_measured_power_is_unknown() -> None:
    found = judged(limit("energy", 1), profile(energy=None))
    assert (found.verdict, found.measured) == (UNKNOWN, None)
    assert judged(limit("energy", 1, "*"), profile(energy=None)).verdict == UNKNOWN
    assert "no measured power" in found.message


def test_a_wrong_output_makes_everything_unknown() -> None:
    wrong = profile(output_check=OutputCheck("mismatch", "host", 3))
    limits = [limit(metric, 1e9) for metric in METRICS]
    for found in judge(wrong, limits, 1.0, as_data(PROFILE)):
        assert found.verdict == UNKNOWN and "differs from the host's by 3" in found.message


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_limit_never_passes(value: float) -> None:
    assert judged(limit("ram", value)).verdict == UNKNOWN


@pytest.mark.parametrize(
    ("pattern", "layers"),
    [("CONV*", "0 1"), ("net/2", "2"), ("1", "1"), ("*", "0 1 2"), ("net/[01]", "0 1")],
)
def test_layers_are_meant_by_name_operator_or_index(pattern: str, layers: str) -> None:
    """The slowest one speaks for all of them."""
    slowest = PROFILE.layers[int(layers[0])]
    found = judged(limit("cycles", 1, pattern))
    assert found.measured == slowest.counters.cycles
    assert found.message.startswith(f"layer {slowest.index} {slowest.op}: ")
    assert (f"{len(layers.split())} of" in found.message) == (len(layers) > 1)


def test_every_layer_that_is_meant_must_keep_the_limit() -> None:
    assert judged(limit("cycles", 7500, "CONV*")).verdict == PASSES
    assert judged(limit("cycles", 6000, "CONV*")).verdict == MAY_FAIL
    assert judged(limit("cycles", 4000, "CONV*")).verdict == FAILS
    assert judged(limit("latency", 0.0075, "0")).verdict == PASSES
    assert judged(limit("energy", 0.9e-3, "0")).verdict == PASSES  # 6 tenths of 1.5 mJ
    assert judged(limit("energy", 0.89e-3, "0")).verdict == MAY_FAIL
    assert judged(limit("cycles", 1e9, "POOL*")).verdict == UNKNOWN


def test_a_layer_whose_name_is_a_pattern() -> None:
    odd = replace(PROFILE.layers[0], name="a[0]*")
    found = judged(limit("cycles", 1, "a[0]*"), profile(layers=(odd,)))
    assert found.measured == 6000


def test_accuracy() -> None:
    """A set of samples says what others may give: 90 of 100 may be 82.6 % to 94.5 %."""
    found = judged(limit("accuracy", 0.9), accuracy=0.9, samples=100)
    assert (found.low, found.high) == pytest.approx((0.8256343, 0.9447708))
    assert found.verdict == MAY_FAIL
    ends = {0.82: PASSES, 0.83: MAY_FAIL, 0.94: MAY_FAIL, 0.95: FAILS}
    for value, end in ends.items():
        assert judged(limit("accuracy", value), accuracy=0.9, samples=100).verdict == end
    assert judged(limit("accuracy", 0.9), accuracy=0.9).verdict == PASSES
    assert judged(limit("accuracy", 0.95), accuracy=0.9, samples=100).fixes == (
        "5 more of the 100 samples must be right",
    )
    (fix,) = judged(limit("accuracy", 0.85), accuracy=0.9, samples=100).fixes
    wanted = int(fix.split(" of ")[1].split()[0].replace(",", ""))
    assert wilson(0.9, wanted + 1).low >= 0.85 > wilson(0.9, wanted - 5).low


@pytest.mark.parametrize("given", [{}, {"accuracy": math.nan}, {"accuracy": 1.0, "samples": 0}])
def test_accuracy_without_data_is_unknown(given: dict[str, Any]) -> None:
    assert judged(limit("accuracy", 0), **given).verdict == UNKNOWN


@given(share=st.floats(0, 1), samples=st.integers(1, 10**6))
def test_the_interval_holds_the_share(share: float, samples: int) -> None:
    found = wilson(share, samples)
    assert 0 <= found.low <= found.value <= found.high <= 1


def earlier(**changes: Any) -> dict[str, Any]:
    """Return the data of a profile as it was."""
    return as_data(profile(**changes))


def test_growth_of_one_cycle_is_seen() -> None:
    before = earlier(layers=(*PROFILE.layers[:2], layer(2, "SOFTMAX", 899)))
    for one in (growth("cycles", 0), growth("cycles", 0.5, True), growth(None, 0)):
        found = judged(one, baseline=before)
        assert found.verdict == FAILS, one
        assert "cycles +" in found.message and "from 9,999 cycles to 10,000 cycles" in found.message
    assert judged(growth("cycles", 1, True), baseline=before).verdict == PASSES
    assert judged(growth("flash", 0), baseline=before).verdict == PASSES


def test_growth_that_is_just_allowed() -> None:
    """Shares are compared as they are written: 2 % of 100 is 2."""
    before = earlier()
    before["flash"]["total_bytes"] = 4000
    assert judged(growth("flash", 0.25), baseline=before).verdict == PASSES
    assert judged(growth("flash", 0.2499), baseline=before).verdict == FAILS
    found = judged(growth("flash", 999, True), baseline=before)
    assert (found.verdict, found.measured) == (FAILS, 1000)
    assert found.message == "flash +1,000 B (from 4,000 B to 5,000 B), 999 B allowed"
    assert found.fixes[0].startswith("save 1 B")


def test_growth_of_all_leaves_out_what_has_its_own() -> None:
    before = earlier()
    before["flash"]["total_bytes"] = 4000
    whole, own = growth(None, 0.1), growth("flash", 0.3)
    assert judged(whole, baseline=before).verdict == FAILS
    _, first, second = judge(PROFILE, [whole, own], baseline=before)
    assert (first.verdict, second.verdict) == (PASSES, PASSES)


def test_growth_from_nothing_fails() -> None:
    before = earlier()
    before["ram"]["static_bytes"] = 0
    with_static = RegionUse("sram", "ram", 0, 4000, 0, 0, {"arena": 1000, "static": 8})
    now = profile(regions=(PROFILE.regions[0], with_static))
    found = judged(growth("static", 9.0), now, baseline=before)
    assert (found.verdict, found.measured) == (FAILS, None)
    assert judged(growth("static", 8, True), now, baseline=before).verdict == PASSES
    assert judged(growth("static", 0), baseline=before).verdict == PASSES


def test_less_is_no_growth() -> None:
    before = earlier()
    before["totals"]["cycles"] = 20_000
    found = judged(growth("cycles", 0), baseline=before)
    assert (found.verdict, found.measured) == (PASSES, -0.5)
    assert found.message == "cycles -50 % (from 20,000 cycles to 10,000 cycles), 0 % allowed"


@pytest.mark.parametrize(
    "baseline",
    [
        None,
        {},
        {"board": {"name": "another"}},
        {"board": "bench"},
        {"board": {"name": "bench"}},
        {**earlier(), "totals": {"cycles": "many"}},
        {**earlier(), "totals": {"cycles": math.nan}},
        {**earlier(), "totals": {"cycles": -1}},
        {**earlier(), "totals": {"cycles": True}},
        {**earlier(), "totals": 7},
    ],
)
def test_a_baseline_that_says_nothing_is_unknown(baseline: Any) -> None:
    for one in (growth("cycles", 1e9), growth(None, 1e9)):
        assert judged(one, baseline=baseline).verdict == UNKNOWN


def test_energy_that_neither_knows_is_left_out_of_the_growth_of_all() -> None:
    now, before = profile(energy=None), earlier(energy=None)
    assert judged(growth(None, 0), now, baseline=before).verdict == PASSES
    assert judged(growth("energy", 0), now, baseline=before).verdict == UNKNOWN
    assert judged(growth(None, 0), now, baseline=earlier()).verdict == UNKNOWN


def test_fixes_of_time_have_numbers() -> None:
    found = judged(limit("latency", 0.007))
    assert found.fixes == (
        "save 3,000 cycles (3 ms): 50.0 % of what is spent in layer 0 CONV_2D (60.0 % of all)",
        "--tune: tries every kernel for every layer on this board",
        "2,000 cycles (20.2 %) are load stalls, 2,000 of them in layer 0 CONV_2D",
    )
    hopeless = judged(limit("latency", 0)).fixes[0]
    assert hopeless.startswith("save 10,000 cycles (10 ms): more than is spent in layer 0 CONV_2D")


def test_fixes_name_the_layers_of_a_pattern_only() -> None:
    found = judged(limit("cycles", 1500, "1"))
    assert found.fixes[0] == (
        "save 1,500 cycles (1.5 ms): 50.0 % of what is spent in layer 1 CONV_2D (30.0 % of all)"
    )


def test_fixes_of_time_mind_the_flags() -> None:
    small = profile(toolchain=replace(PROFILE.toolchain, flags=("-Os",)))
    assert "--optimize speed" in judged(limit("latency", 0.007), small).fixes[1]
    patched = profile(layers=(layer(0, "PATCHED", 9900),))
    assert "without --patches" in judged(limit("latency", 0.007), patched).fixes[1]


def test_fixes_of_ram_name_what_is_alive_at_the_peak() -> None:
    """The arena is fullest at layer 0; what lies on other tensors counts once."""
    found = judged(limit("ram", 700))
    assert found.fixes == (
        "save 500 B: of 1,000 B in use at layer 0 CONV_2D, the largest are "
        "600 B activation first (600 int8), 400 B activation second (400 int8)",
        "--patches: the peak is early, at layer 0 CONV_2D; bands may hold less of the first layers",
        "--planner exact: the arena is 100 B above its lower bound",
    )
    inside = (placed("first", 0, 600, 0, 0), placed("second", 0, 600, 0, 0))
    found = judged(limit("ram", 700), profile(tensors=inside))
    assert "of 600 B in use" in found.fixes[0]


def test_fixes_of_flash_name_the_largest_weights() -> None:
    found = judged(limit("flash", 4500))
    assert found.fixes == (
        "save 500 B: code takes 1,000 B; --optimize size takes portable kernels, smaller and "
        "much slower",
        "weights take 4,000 B; most values are in layer 0 CONV_2D (400), layer 1 CONV_2D (100)",
        "flash holds weights 4,000 B, code 1,000 B",
    )


def test_names_in_fixes_are_short_and_harmless() -> None:
    hostile = placed("\x1b[31m" + "x" * 300, 0, 600, 0, 0)
    (first, *_) = judged(limit("ram", 700), profile(tensors=(hostile,))).fixes
    assert "\x1b" not in first and len(first) < 160


def test_strictness_decides_what_is_broken() -> None:
    findings = judge(PROFILE, [limit("latency", 0.01), limit("ram", 9999)])
    case = Case("net", "bench", SOURCE, PROFILE, findings)
    assert CheckResult((case,), is_strict=False).exit_code == 0
    strict = CheckResult((case,), is_strict=True)
    assert strict.exit_code == 1
    assert [finding.limit.metric for _, finding in strict.broken()] == ["latency"]
    unknown = Case("net", "bench", SOURCE, PROFILE, judge(PROFILE, [limit("accuracy", 0)]))
    assert CheckResult((unknown,), is_strict=False).exit_code == 1
