"""Core tables: the schema, and lines of known count with tolerance 0."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.firmware import BOARD_OF, probe
from tinysim.errors import SimulationError
from tinysim.simulator.cores import core_names, load_core, parse_core

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
