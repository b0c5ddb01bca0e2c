"""Core tables: the schema, and lines of known count with tolerance 0."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.firmware import BOARD_OF, assembly, call, machine, probe
from tinysim.errors import SimulationError
from tinysim.simulator.cores import core_names, load_core, parse_core
from tinysim.simulator.pipeline import time_run

CASES = [
    pytest.param(path.stem, case, id=f"{path.stem}-{case['name'].replace(' ', '_')}")
    for path in sorted((Path(__file__).parent / "cores").glob("*.toml"))
    for case in tomllib.loads(path.read_text())["case"]
]


def text(name: str = "cortex_m4f") -> str:
    return (ROOT / "simulator" / "cores" / f"{name}.toml").read_text()


@pytest.mark.parametrize("name", core_names())
def test_core_file_is_complete(name: str) -> None:
    core = load_core(name)
    assert core.name == name
    assert core.accuracy.error_low < 0 < core.accuracy.error_high
    assert (Path(__file__).parent / "cores" / f"{name}.toml").exists()
    assert name in BOARD_OF


@pytest.mark.parametrize(("core", "case"), CASES)
def test_known_count(core: str, case: dict[str, Any]) -> None:
    assert case["source"]
    counters = probe(case["asm"].replace(";", "\n"), core)
    assert counters.cycles == case["cycles"], counters.stalls


#: Rules that need operands, addresses or outcomes: test_memory_system.py and test_prediction.py.
DYNAMIC = {"divide_early", "unaligned_access", "mispredicted_branch"}
#: Cores whose lines also check the rules that another one takes over from them.
CHECKED_BY = {"cortex_m3": "cortex_m4f", "cortex_m4": "cortex_m4f", "cortex_m7_dp": "cortex_m7_sp"}
RULES = [
    (core, rule) for core in core_names() for rule in load_core(core).rules if rule not in DYNAMIC
]


@pytest.mark.parametrize(("name", "rule"), RULES)
def test_every_rule_decides_a_known_count(name: str, rule: str) -> None:
    """Without it at least one of the lines would come out differently."""
    core = load_core(CHECKED_BY.get(name, name))
    assert load_core(name).rules[rule] == core.rules[rule]
    without = replace(core, rules={key: row for key, row in core.rules.items() if key != rule})

    def is_decided(case: dict[str, Any]) -> bool:
        loaded = machine(
            assembly(case["asm"].replace(";", "\n")), BOARD_OF[core.name], core=core.name
        )
        loaded.boot("main")
        call(loaded, "probe", loaded.board.region("sram").base + 0x1000)
        costs = [
            (
                run.count,
                time_run(loaded.prices.decoder.between(run.start, run.end), run.is_taken, c),
            )
            for c in (core, without)
            for run in loaded.tracer.counts()
        ]
        half = len(costs) // 2
        cycles = [sum(n * cost.cycles for n, cost in part) for part in (costs[:half], costs[half:])]
        return cycles[0] != cycles[1]

    cases: list[Any] = [one.values[1] for one in CASES if one.values[0] == core.name]
    assert any(is_decided(case) for case in cases)


def test_cost_without_source_does_not_load() -> None:
    changed = text("cortex_m4").replace(
        'source = "Arm DDI 0439, Cortex-M4 TRM, table 3-1"', 'source = " "', 1
    )
    with pytest.raises(SimulationError, match="alu has no source"):
        parse_core(changed, "test")


def test_unknown_class_and_rule_do_not_load() -> None:
    changed = text() + '\n[cost.telepathy]\ncycles = 1\nsource = "x"\n'
    changed += '\n[rule.hope]\ncycles = 1\nsource = "x"\n'
    with pytest.raises(SimulationError, match=r"class 'telepathy'; unknown rule 'hope'"):
        parse_core(changed, "test")


def test_instruction_without_a_cost_is_an_error() -> None:
    with pytest.raises(
        SimulationError, match=r"Cortex-M0\+ has no instruction like it eq \(class it\)"
    ):
        probe("cmp r0, r0\n.inst.n 0xbf08\nmov r1, r2\nbx lr", "cortex_m0plus")
