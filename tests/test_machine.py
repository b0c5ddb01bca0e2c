"""The emulated board: boot, memory, faults, limits, system registers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.firmware import assembly, call, counted, machine
from tinysim.boards import load_board
from tinysim.errors import FaultError, LimitError, SimulationError, ToolchainError
from tinysim.simulator import native_tracer
from tinysim.simulator.cores import load_core
from tinysim.simulator.counting import count_by_context
from tinysim.simulator.functions import call_paths, function_profiles
from tinysim.simulator.images.elf import read_elf
from tinysim.simulator.machine import Limits, Machine

ALL_BOARDS = ("generic_m0plus", "generic_m4", "generic_m7", "generic_m33")

READ_CYCLES = """
#define REG(address) (*(volatile unsigned *)(address))
volatile unsigned before, after;
__attribute__((noinline)) void spin(unsigned n) { while (n--) __asm volatile("nop"); }
__attribute__((noipa)) void finish(void) {}
int main(void) {
    REG(0xE000EDFC) |= 1u << 24; REG(0xE0001004) = 0; REG(0xE0001000) |= 1;
    before = REG(0xE0001004); spin(1000); after = REG(0xE0001004);
    finish(); return 0;
}
"""

TICKS = """
#define REG(address) (*(volatile unsigned *)(address))
volatile unsigned before, after, flagged;
__attribute__((noinline)) void spin(unsigned n) { while (n--) __asm volatile("nop"); }
__attribute__((noipa)) void finish(void) {}
int main(void) {
    REG(0xE000E014) = 0xFFFFFF; REG(0xE000E018) = 0; REG(0xE000E010) = 5;
    spin(1); before = REG(0xE000E018); spin(1000); after = REG(0xE000E018);
    REG(0xE000E014) = 100; REG(0xE000E018) = 0; spin(1000);
    flagged = REG(0xE000E010) >> 16;
    finish(); return 0;
}
"""


def word(loaded: object, name: str) -> int:
    from tinysim.simulator.machine import Machine

    assert isinstance(loaded, Machine)
    return int.from_bytes(loaded.read(loaded.image.symbol(name).address, 4), "little")


@pytest.mark.parametrize("board", ALL_BOARDS)
def test_data_and_bss_are_set_up_before_main(board: str) -> None:
    loaded = machine(
        "volatile int set = 42, zero; int ok; __attribute__((noipa)) void finish(void) {}"
        "int main(void) { ok = set + zero; finish(); return 0; }",
        board,
    )
    loaded.boot("finish")
    assert word(loaded, "ok") == 42


def test_cycle_counter_counts_what_the_tracer_counts() -> None:
    loaded = machine(READ_CYCLES)
    loaded.boot("finish")
    spun = word(loaded, "after") - word(loaded, "before")
    # 1000 rounds of NOP, SUBS and a taken branch, give or take the code around them.
    assert 4000 <= spun <= 4040


def test_systick_counts_down_and_flags_its_wrap() -> None:
    loaded = machine(TICKS)
    loaded.boot("finish")
    assert 4000 <= word(loaded, "before") - word(loaded, "after") <= 4040
    assert word(loaded, "flagged") == 1


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("ldr r1, =0x60000000\nldr r0, [r1]\nbx lr\n.ltorg", "reads 0x60000000"),
        ("ldr r1, =0x60000000\nstr r0, [r1]\nbx lr\n.ltorg", "writes 0x60000000"),
        ("ldr r1, =0x08000000\nstr r0, [r1]\nbx lr\n.ltorg", "writes flash at 0x08000000"),
        ("ldr r1, =0x60000001\nbx r1\n.ltorg", "executes 0x60000000"),
        (".inst.n 0xde00\nbx lr", "cannot execute the instruction"),
    ],
    ids=["read", "write", "write-to-flash", "jump", "undefined"],
)
@pytest.mark.parametrize("board", ["generic_m0plus", "generic_m4"])
def test_fault_names_access_and_place(board: str, body: str, what: str) -> None:
    loaded = machine(assembly(body), board)
    loaded.boot("main")
    with pytest.raises(FaultError, match=what) as caught:
        call(loaded, "probe", 0)
    if "executes" not in what:
        assert caught.value.symbol.startswith("probe")
        assert f"pc {caught.value.pc:#010x} in probe" in str(caught.value)


@pytest.mark.parametrize("board", ["generic_m4", "generic_m7", "generic_m33"])
def test_fpu_before_it_is_enabled_is_a_fault(board: str) -> None:
    loaded = machine(assembly("vadd.f32 s0, s1, s2\nbx lr"), board)
    loaded.boot("main")
    loaded.system.write(0xED88, 4, 0)
    with pytest.raises(FaultError, match="uses the FPU before CPACR enables it"):
        call(loaded, "probe", 0)


def test_compare_and_branch_is_no_instruction_of_the_m0plus() -> None:
    loaded = machine(assembly(".inst.n 0xb100\nbx lr"), "generic_m0plus")  # cbz r0, .+4
    loaded.boot("main")
    with pytest.raises(SimulationError, match=r"Cortex-M0\+ has no instruction like cbz"):
        call(loaded, "probe", 1)


@pytest.mark.parametrize(
    "instruction",
    ["smlad r1, r2, r3, r1", "ssat16 r1, #4, r2", "uadd8 r1, r2, r3", "umaal r1, r2, r3, r4"],
)
def test_dsp_is_not_there_on_the_m3(instruction: str) -> None:
    """Unicorn's M3 computes some of them."""
    encoded = machine(assembly(f"{instruction}\nbx lr")).image.segments  # assembled for the M4
    loaded = machine(assembly("nop\nnop\nbx lr"), "generic_m3")
    loaded.boot("main")
    probe = loaded.image.symbol("probe").address
    source = machine(assembly(f"{instruction}\nbx lr")).image.symbol("probe").address
    (segment,) = (one for one in encoded if one.address <= source < one.end)
    loaded.write(probe, segment.data[source - segment.address :][:6])
    with pytest.raises(SimulationError, match=r"no instruction like|cannot execute"):
        call(loaded, "probe")


def test_supervisor_call_ends_in_the_default_handler_that_sleeps() -> None:
    loaded = machine(assembly("svc 0\nbx lr"))
    loaded.boot("main")
    with pytest.raises(SimulationError, match="sleeps"):
        call(loaded, "probe", 0)


@pytest.mark.parametrize("use_native", [True, False])
def test_endless_loop_ends_at_the_instruction_limit(use_native: bool) -> None:
    loaded = machine(assembly("1: b 1b"), use_native=use_native, limits=Limits(100_000))
    loaded.boot("main")
    with pytest.raises(LimitError, match="still running after 100,000 instructions"):
        call(loaded, "probe", 0)


def test_endless_loop_ends_at_the_time_limit() -> None:
    loaded = machine(assembly("1: b 1b"), limits=Limits(10**15, host_seconds=0.2))
    loaded.boot("main")
    with pytest.raises(LimitError, match=r"0\.2 s of this computer's time"):
        call(loaded, "probe", 0)


def test_main_that_never_infers_is_told_so() -> None:
    loaded = machine(
        "__attribute__((noipa)) void finish(void) {} void (*volatile keep)(void) = finish;"
        "int main(void) { return keep == 0; }"
    )
    with pytest.raises(SimulationError, match="sleeps"):
        loaded.boot("finish")


def test_semihosting_prints_and_ends_the_program() -> None:
    loaded = machine(
        assembly(
            "ldr r1, =text\nmovs r0, #4\nbkpt 0xab\nmovs r0, #0x18\nbkpt 0xab\nbx lr\n"
            '.ltorg\n.balign 4\ntext: .asciz \\"hello\\"\n.balign 4'
        )
    )
    loaded.boot("main")
    with pytest.raises(SimulationError, match="the program ended"):
        call(loaded, "probe", 0)
    assert loaded.console == b"hello"


@pytest.mark.parametrize("board", ALL_BOARDS)
def test_stack_peak_is_exact_even_where_nothing_is_written(board: str) -> None:
    body = "push {r4, lr}\nsub sp, #256\nbl 1f\nadd sp, #256\npop {r4, pc}\n"
    loaded = machine(assembly(body + "1: push {r0, r1, r2, lr}\npop {r0, r1, r2, pc}"), board)
    loaded.boot("main")
    top = loaded.get("sp")
    call(loaded, "probe", 0)
    assert top - loaded.tracer.lowest_sp == 8 + 256 + 16


@pytest.mark.parametrize("board", ALL_BOARDS)
def test_native_and_python_tracers_count_the_same(board: str) -> None:
    source = (
        "volatile int sink; int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }"
        "void probe(int n) { int k[4] = {n, 2, 3, 4}; for (int i = 0; i < 50; i++) "
        "sink += k[i & 3] * i; sink += fib(9); } void (*volatile keep)(int) = probe;"
        "int main(void) { return keep == 0; }"
    )
    found = []
    for use_native in (True, False):
        loaded = machine(source, board, use_native)
        loaded.boot("main")
        call(loaded, "probe", 3)
        tracer = loaded.tracer
        runs = list(tracer.counts())
        found.append(
            (runs, tracer.millicycles, tracer.instructions, tracer.lowest_sp, counted(loaded))
        )
    assert found[0] == found[1]
    assert found[0][1] == found[0][4].cycles * 1000
    assert found[0][2] == found[0][4].instructions > 1000


@pytest.mark.parametrize("use_native", [True, False])
def test_call_paths_follow_calls_jumps_and_recursion(use_native: bool) -> None:
    source = """
#define FAR __attribute__((noipa))
volatile int n;
FAR void leaf(int k) { n += k; }
FAR void jumps(int k) { n++; leaf(k); }
FAR void down(int k) { if (k) { down(k - 1); n++; } else leaf(1); n++; }
FAR void probe(int k) { jumps(k); jumps(k); down(600); n++; }
void (*volatile keep)(int) = probe;
int main(void) { return keep == 0; }
"""
    loaded = machine(source, use_native=use_native)
    loaded.boot("main")
    call(loaded, "probe", 3)
    by_context = count_by_context(loaded)
    functions = {one.name: one for one in function_profiles(loaded, by_context)}
    assert functions["jumps"].calls == 2 and functions["leaf"].calls == 3
    assert functions["down"].calls == 601
    paths = {path for path, _ in call_paths(loaded, by_context)}
    assert ("probe", "jumps", "leaf") in paths and ("probe", "down") in paths
    total = counted(loaded)
    assert sum(one.own.cycles for one in functions.values()) == total.cycles
    assert functions["probe"].inclusive_cycles == total.cycles
    assert len(loaded.tracer.contexts()) < 600


@pytest.mark.parametrize("use_native", [True, False])
def test_part_that_returns_for_its_function_ends_both(use_native: bool) -> None:
    """The library's ``__aeabi_dmul`` does so: a part of it, called, pops the whole's return."""
    body = (
        "push {r4, lr}\nmovs r4, #40\n1: bl whole\nsubs r4, #1\nbne 1b\npop {r4, pc}\n"
        ".thumb_func\n.type whole, %function\nwhole: push {r4, lr}\nbl part\npop {r4, pc}\n"
        ".thumb_func\n.type part, %function\npart: nop\npop {r4, pc}"
    )
    loaded = machine(assembly(body), use_native=use_native)
    loaded.boot("main")
    call(loaded, "probe")
    by_context = count_by_context(loaded)
    paths = {path for path, _ in call_paths(loaded, by_context)}
    assert paths == {("probe",), ("probe", "whole"), ("probe", "whole", "part")}
    assert {one.name: one.calls for one in function_profiles(loaded, by_context)}["part"] == 40


def test_second_call_counts_the_same_as_the_first() -> None:
    loaded = machine(assembly("movs r1, #100\n1: subs r1, #1\nbne 1b\nbx lr"))
    loaded.boot("main")
    counts = []
    for _ in range(3):
        call(loaded, "probe", 0)
        counts.append(list(loaded.tracer.counts()))
    assert counts[0] == counts[1] == counts[2]


@pytest.mark.parametrize("base", ["0xC0000000", "0x07000000"])
def test_memory_that_the_board_does_not_have_is_refused(base: str) -> None:
    image = machine("int main(void) { return 0; }").image
    ends = (*image.ends, int(base, 16) + 64)
    board = load_board("generic_m4")
    with pytest.raises(SimulationError, match=r"does not have|below all memory"):
        Machine(board, load_core(board.core), replace(image, ends=ends))


@pytest.mark.parametrize("blob", [b"", b"not an ELF", b"\x7fELF" + bytes(60)])
def test_damaged_image_is_refused(blob: bytes) -> None:
    with pytest.raises(SimulationError):
        read_elf(blob)


def test_native_library_of_another_age_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_tracer, "VERSION", native_tracer.VERSION + 1)
    with pytest.raises(ToolchainError, match="built from older sources; build it again"):
        machine(assembly("bx lr"), use_native=True)
