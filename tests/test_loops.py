"""The hottest loops: which code they are, who runs them, and that their cycles add up."""

from __future__ import annotations

import itertools

import pytest

import tinysim
from tests.conftest import DEMO_MODEL
from tests.firmware import BOARD_OF, assembly, call, counted, machine
from tinysim.simulator.loops import HOTTEST_LOOPS, hot_loops
from tinysim.simulator.machine import Machine
from tinysim.simulator.profile import Counters, HotLoop

NESTED = """
movs r1, #3
1: movs r2, #50
2: subs r2, #1
bne 2b
subs r1, #1
bne 1b
movs r3, #9
3: subs r3, #1
bne 3b
bx lr
"""


def loops_of(loaded: Machine, layer: int | None = None) -> tuple[HotLoop, ...]:
    return hot_loops(loaded, [layer] * len(loaded.tracer.contexts()))


def probed(body: str, core: str = "cortex_m4") -> Machine:
    loaded = machine(assembly(body), BOARD_OF[core], core=core)
    loaded.boot("main")
    call(loaded, "probe")
    return loaded


def test_innermost_loops_by_their_cycles() -> None:
    loaded = probed(NESTED)
    start = loaded.image.symbol("probe").address
    first, second = loops_of(loaded, 7)
    assert (first.start - start, first.end - start) == (4, 8)
    assert (first.function, first.iterations, first.layers) == ("probe", 150, (7,))
    assert [one.text.split()[0] for one in first.body] == ["subs", "bne"]
    assert [one.executions for one in first.body] == [150, 150]
    assert second.iterations == 9 and loops_of(loaded)[0].layers == ()


def test_cycles_are_of_the_instruction_that_waits() -> None:
    subtract, branch = loops_of(probed(NESTED))[0].body
    assert subtract.counters.cycles == 150
    taken = 150 - 3  # each round of the outer loop leaves the inner one once
    assert branch.counters.issue_cycles == 150
    assert branch.counters.stalls["branch"] % taken == 0 < branch.counters.stalls["branch"]


def test_the_inner_loop_counts_even_if_the_outer_goes_round_more_often() -> None:
    inner = "1: movs r2, #2\n2: subs r2, #1\nbne 2b\n"
    loaded = probed(f"movs r1, #99\n{inner} subs r1, #1\nbne 1b\nbx lr")
    (loop,) = loops_of(loaded)
    assert len(loop.body) == 2 and loop.iterations == 198


def test_a_block_out_of_line_does_not_hide_its_loop() -> None:
    loaded = probed("""
        movs r1, #100
        1: subs r1, #1
        cmp r1, #50
        beq 3f
        2: cmp r1, #0
        bne 1b
        bx lr
        3: nop
        b 2b
    """)
    (loop,) = loops_of(loaded)
    assert [one.text.split()[0] for one in loop.body] == ["subs", "cmp", "beq", "cmp", "bne"]
    assert loop.iterations == 100


@pytest.mark.parametrize("core", BOARD_OF)
def test_a_loop_that_is_all_there_is_has_all_cycles(core: str) -> None:
    body = "1: subs r0, #1\nmuls r1, r0, r1\nbne 1b\nbx lr"
    loaded = probed("ldr r0, =1000\n" + body + "\n.ltorg", core)
    (loop,) = loops_of(loaded)
    total = counted(loaded)
    assert loop.counters.instructions == total.instructions - 2
    assert 0 < total.cycles - loop.counters.cycles < 20


@pytest.mark.parametrize("core", BOARD_OF)
def test_steps_of_a_run_add_up_to_its_cost(core: str) -> None:
    loaded = machine("int main(void) { return 0; }", BOARD_OF[core], core=core)
    loaded.boot("main")
    runs = list(loaded.tracer.counts())
    assert runs
    for run in runs:
        cost = loaded.prices.run_cost(run.start, run.end, run.is_taken)
        steps = [step for _, step in loaded.prices.steps(run.start, run.end, run.is_taken)]
        parts = [Counters(1, step.issue_cycles, step.stalls) for step in steps]
        whole = Counters(cost.instructions, cost.issue_cycles, cost.stalls)
        assert Counters.total(parts) == Counters.total([whole])
        assert all(n >= 0 for step in steps for n in (step.issue_cycles, *step.stalls.values()))


def test_a_jump_back_to_another_function_is_no_loop() -> None:
    source = """
void probe(void);
void (*volatile keep)(void) = probe;
int main(void) { return keep == 0; }
__asm(".syntax unified\\n.text\\n.balign 4\\n"
    ".thumb_func\\n.global above\\n.type above, %function\\nabove: bx lr\\n"
    ".size above, . - above\\n"
    ".thumb_func\\n.global probe\\n.type probe, %function\\nprobe: b.w above\\n"
    ".size probe, . - probe\\n");
"""
    loaded = machine(source)
    loaded.boot("main")
    call(loaded, "probe")
    assert loaded.image.symbol("above").address < loaded.image.symbol("probe").address
    assert loops_of(loaded) == ()


@pytest.mark.parametrize("board", ["generic_m4", "nucleo_l4r5zi", "rpi_pico", "nucleo_h7a3zi_q"])
def test_profiles_have_loops(board: str) -> None:
    profile = tinysim.run(DEMO_MODEL, board)
    assert 3 < len(profile.loops) <= HOTTEST_LOOPS
    cycles = [loop.counters.cycles for loop in profile.loops]
    assert cycles == sorted(cycles, reverse=True)
    assert sum(cycles) < profile.cycles
    assert cycles[0] > profile.cycles / 10
    spans = sorted((loop.start, loop.end) for loop in profile.loops)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    for loop in profile.loops:
        assert set(loop.layers) <= set(range(len(profile.layers)))
        code = Counters.total(one.counters for one in loop.body)
        assert code.instructions == loop.counters.instructions
        assert code.issue_cycles == loop.counters.issue_cycles
        waits = loop.counters.cycles - code.cycles
        assert waits >= 0
        if board == "generic_m4":
            assert waits == 0
