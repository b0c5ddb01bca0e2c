"""Branches that are predicted: what is learned costs nothing, what is not costs a refill."""

from __future__ import annotations

import pytest

from tests.firmware import assembly, call, counted, machine
from tinysim.simulator.cores import load_core

MISS_CYCLES = load_core("cortex_m7_sp").rule_cycles("mispredicted_branch")

#: Goes round 256 times; in each, one branch as bit 0 of R3 says, which `step` computes.
ROUNDS = """
ldr r3, =12345
movw r2, #256
1: {step}
tst r3, #1
bne 2f
nop
2: subs r2, #1
bne 1b
bx lr
.ltorg
"""
ALTERNATING = "eor r3, r3, #1"
#: A shift register with feedback: bits without a pattern that eight of them would tell.
RANDOM = "lsrs r3, r3, #1\nit cs\neorcs r3, r3, #0xB400"


def misses(step: str, calls: int, use_native: bool = True) -> float:
    """Return the wrong predictions in the last of several calls."""
    assert MISS_CYCLES is not None
    body = assembly(ROUNDS.format(step=step))
    loaded = machine(body, "generic_m7", use_native)
    loaded.boot("main")
    for _ in range(calls):
        call(loaded, "probe")
    runs = loaded.tracer.counts()
    return sum(run.stall_millicycles[3] for run in runs) / 1000 / MISS_CYCLES


def test_pattern_is_learned() -> None:
    assert misses(ALTERNATING, calls=1) > 5
    assert misses(ALTERNATING, calls=3) <= 12  # the way into and out of the loop


def test_what_has_no_pattern_is_missed_every_other_time() -> None:
    assert 80 < misses(RANDOM, calls=1) < 180


@pytest.mark.parametrize("step", [ALTERNATING, RANDOM])
def test_twins_predict_the_same(step: str) -> None:
    assert misses(step, 2, use_native=True) == misses(step, 2, use_native=False)


@pytest.mark.parametrize("use_native", [True, False])
def test_misses_are_branch_stalls_and_add_up(use_native: bool) -> None:
    loaded = machine(assembly(ROUNDS.format(step=RANDOM)), "generic_m7", use_native)
    loaded.boot("main")
    call(loaded, "probe")
    found = counted(loaded)
    assert found.cycles == found.issue_cycles + sum(found.stalls.values())
    assert found.cycles == loaded.tracer.millicycles // 1000
    assert found.stalls["branch"] > 80 * 8


def test_jump_through_a_register_is_expected_to_go_where_it_went() -> None:
    body = """
    push {r4, lr}
    ldr r4, =target
    movs r2, #100
    1: mov r1, r4
    orr r1, #1
    bx r1
    nop
    target: subs r2, #1
    bne 1b
    pop {r4, pc}
    .ltorg
    """
    loaded = machine(assembly(body), "generic_m7")
    loaded.boot("main")
    for _ in range(2):
        call(loaded, "probe")
    missed = sum(run.stall_millicycles[3] for run in loaded.tracer.counts()) / 1000 / 8
    assert missed <= 10
