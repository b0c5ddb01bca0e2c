"""Exceptions on every core: entry and return, nesting, chaining, masks, stacks, FPU frames."""

from __future__ import annotations

import pytest

from tests.firmware import machine
from tests.test_machine import word
from tinysim.errors import SimulationError
from tinysim.simulator.nvic import FIRST_IRQ, PENDSV, SYSTICK, Nvic

ALL_BOARDS = (
    "generic_m0",
    "generic_m0plus",
    "generic_m3",
    "generic_m4",
    "generic_m7",
    "generic_m33",
)
NEWER_BOARDS = ALL_BOARDS[2:]
FPU_BOARDS = ("generic_m4", "generic_m7", "generic_m33")

PRELUDE = """
#define REG(address) (*(volatile unsigned *)(address))
#define ICSR REG(0xE000ED04)
__attribute__((noipa)) void finish(void) {}
"""


def run(source: str, board: str) -> object:
    loaded = machine(PRELUDE + source, board)
    loaded.boot("finish")
    return loaded


@pytest.mark.parametrize("board", ALL_BOARDS)
def test_systick_interrupts_and_registers_survive(board: str) -> None:
    loaded = run(
        """
volatile unsigned ticks, sum;
void SysTick_Handler(void) { ticks++; }
int main(void) {
    REG(0xE000E014) = 999; REG(0xE000E018) = 0; REG(0xE000E010) = 7;
    for (unsigned i = 0; i < 3000; i++) sum += i ^ (i << 3);
    REG(0xE000E010) = 0; finish(); return 0; }
""",
        board,
    )
    expected = sum((i ^ (i << 3)) & 0xFFFFFFFF for i in range(3000)) & 0xFFFFFFFF
    assert word(loaded, "sum") == expected
    assert word(loaded, "ticks") > 10


@pytest.mark.parametrize("board", ALL_BOARDS)
def test_supervisor_call_takes_arguments_from_the_frame(board: str) -> None:
    loaded = run(
        """
volatile unsigned seen, result;
void handle(unsigned *frame) { seen = frame[0]; frame[0] = frame[0] * 2 + frame[1]; }
__attribute__((naked)) void SVC_Handler(void) {
    __asm volatile("mrs r0, msp\\npush {r4, lr}\\nbl handle\\npop {r4, pc}"); }
int main(void) {
    register unsigned a __asm("r0") = 21, b __asm("r1") = 7;
    __asm volatile("svc 3" : "+r"(a) : "r"(b) : "memory");
    result = a; finish(); return 0; }
""",
        board,
    )
    assert (word(loaded, "seen"), word(loaded, "result")) == (21, 49)


@pytest.mark.parametrize("board", ALL_BOARDS)
def test_pended_exception_is_taken_at_once_and_masked_one_later(board: str) -> None:
    loaded = run(
        """
volatile unsigned count, while_masked, after;
void PendSV_Handler(void) { count++; }
int main(void) {
    ICSR = 1u << 28; __asm volatile("dsb\\nisb"); unsigned first = count;
    __asm volatile("cpsid i"); ICSR = 1u << 28; __asm volatile("dsb\\nisb");
    while_masked = count; __asm volatile("cpsie i\\nisb"); after = count * 10 + first;
    finish(); return 0; }
""",
        board,
    )
    assert (word(loaded, "while_masked"), word(loaded, "after")) == (1, 21)


NESTING = """
volatile unsigned log_[16], n;
static void note(unsigned what) { log_[n++] = what; }
void PendSV_Handler(void) { note(1); REG(0xE000E200) = 1; __asm volatile("dsb\\nisb"); note(2); }
void irq0(void) { note(3); REG(0xE000E200) = 2; __asm volatile("dsb\\nisb"); note(4); }
void irq1(void) { note(5); }
__attribute__((aligned(256))) void (*table[64])(void);
int main(void) {
    unsigned *flash = (unsigned *)REG(0xE000ED08);
    for (int i = 0; i < 16; i++) table[i] = (void (*)(void))flash[i];
    table[16] = irq0; table[17] = irq1; REG(0xE000ED08) = (unsigned)table;
    REG(0xE000ED20) = 0xC0u << 16;
    REG(0xE000E400) = FIRST_PRIORITY | SECOND_PRIORITY << 8;
    REG(0xE000E100) = 3; ICSR = 1u << 28; __asm volatile("dsb\\nisb");
    finish(); return 0; }
"""


@pytest.mark.parametrize("board", ALL_BOARDS)
def test_exception_number_reads_in_its_handler_only(board: str) -> None:
    loaded = run(
        """
volatile unsigned outer, inner, back, outside;
static unsigned ipsr(void) { unsigned n; __asm volatile("mrs %0, ipsr" : "=r"(n)); return n; }
void SVC_Handler(void) { inner = ipsr(); }
void PendSV_Handler(void) { outer = ipsr(); __asm volatile("svc 0"); back = ipsr(); }
int main(void) {
    REG(0xE000ED20) = 0x00C00000; ICSR = 1u << 28; __asm volatile("isb");
    outside = ipsr(); finish(); return 0; }
""",
        board,
    )
    assert [word(loaded, name) for name in ("outer", "inner", "back", "outside")] == [14, 11, 14, 0]


@pytest.mark.parametrize("board", FPU_BOARDS)
def test_frame_holds_the_fpu_only_while_the_context_uses_it(board: str) -> None:
    """EXC_RETURN bit 4 says so; clearing CONTROL.FPCA, as a first task's start does, too."""
    loaded = run(
        """
#define FORGET __asm volatile("mrs r0, control\\nbic r0, #4\\nmsr control, r0\\nisb" ::: "r0")
volatile unsigned seen[4], n, control; volatile float x = 1.5f;
__attribute__((naked)) void SVC_Handler(void) {
    __asm volatile("ldr r0, =n\\nldr r1, [r0]\\nldr r2, =seen\\nstr lr, [r2, r1, lsl #2]\\n"
                   "adds r1, #1\\nstr r1, [r0]\\nbx lr"); }
int main(void) {
    FORGET; __asm volatile("svc 0" ::: "memory");
    x = x * x; __asm volatile("svc 0" ::: "memory");
    __asm volatile("mrs %0, control" : "=r"(control));
    FORGET; __asm volatile("svc 0" ::: "memory");
    finish(); return 0; }
""",
        board,
    )
    base = loaded.image.symbol("seen").address  # type: ignore[attr-defined]
    seen = [loaded.read(base + 4 * i, 1)[0] & 0x10 for i in range(3)]  # type: ignore[attr-defined]
    assert seen == [0x10, 0, 0x10]
    assert word(loaded, "control") & 4


@pytest.mark.parametrize("board", ALL_BOARDS)
def test_return_to_a_mode_that_it_did_not_come_from_is_told(board: str) -> None:
    source = """
__attribute__((naked)) void SVC_Handler(void) { __asm volatile("ldr r0, =0xfffffff1\\nbx r0"); }
int main(void) { __asm volatile("svc 0"); finish(); return 0; }
"""
    with pytest.raises(SimulationError, match="returns from an exception"):
        run(source, board)


@pytest.mark.parametrize("board", ALL_BOARDS)
def test_more_urgent_interrupts_nest(board: str) -> None:
    source = NESTING.replace("FIRST_PRIORITY", "0x80u").replace("SECOND_PRIORITY", "0x40u")
    loaded = run(source, board)
    log = [int.from_bytes(_bytes(loaded, "log_", 4 * i), "little") for i in range(5)]
    assert log == [1, 3, 5, 4, 2]


@pytest.mark.parametrize("board", ALL_BOARDS)
def test_equally_urgent_interrupts_chain(board: str) -> None:
    source = NESTING.replace("FIRST_PRIORITY", "0x80u").replace("SECOND_PRIORITY", "0x80u")
    loaded = run(source, board)
    log = [int.from_bytes(_bytes(loaded, "log_", 4 * i), "little") for i in range(5)]
    assert log == [1, 3, 4, 5, 2]


def _bytes(loaded: object, name: str, offset: int) -> bytes:
    from tinysim.simulator.machine import Machine

    assert isinstance(loaded, Machine)
    return loaded.read(loaded.image.symbol(name).address + offset, 4)


@pytest.mark.parametrize("board", NEWER_BOARDS)
def test_base_priority_holds_back_what_is_less_urgent(board: str) -> None:
    loaded = run(
        """
volatile unsigned count, held, released;
void PendSV_Handler(void) { count++; }
int main(void) {
    REG(0xE000ED20) = 0xC0u << 16;
    __asm volatile("msr basepri, %0" :: "r"(0x80)); ICSR = 1u << 28;
    __asm volatile("dsb\\nisb"); held = count;
    __asm volatile("msr basepri, %0\\nisb" :: "r"(0)); released = count;
    finish(); return 0; }
""",
        board,
    )
    assert (word(loaded, "held"), word(loaded, "released")) == (0, 1)


SWITCH = """
volatile unsigned progress[2], switches;
unsigned stacks[2][256] __attribute__((aligned(8)));
unsigned *saved[2]; volatile unsigned current;
FLOAT_STATE
static void task(unsigned which) {
    for (;;) { progress[which]++; WORK ICSR = 1u << 28; __asm volatile("dsb\\nisb"); }
}
void first(void) { task(0); } void second(void) { task(1); }
unsigned *switch_to_other(unsigned *sp) {
    saved[current] = sp; current ^= 1; if (++switches == 40) finish(); return saved[current]; }
"""

SWITCH_V7 = (
    SWITCH
    + """
__attribute__((naked)) void PendSV_Handler(void) {
    __asm volatile("mrs r0, psp\\ntst lr, #16\\nit eq\\nvstmdbeq r0!, {s16-s31}\\n"
        "stmdb r0!, {r4-r11, lr}\\nbl switch_to_other\\nldmia r0!, {r4-r11, lr}\\n"
        "tst lr, #16\\nit eq\\nvldmiaeq r0!, {s16-s31}\\nmsr psp, r0\\nbx lr"); }
static unsigned *prepare(int which, void (*entry)(void)) {
    unsigned *top = stacks[which] + 256; *--top = 1u << 24; *--top = (unsigned)entry;
    for (int i = 0; i < 6; i++) *--top = 0;
    *--top = EXC_RETURN; for (int i = 0; i < 8; i++) *--top = 0; return top; }
int main(void) {
    saved[1] = prepare(1, second);
    __asm volatile("msr psp, %0\\nmovs r0, #2\\nmsr control, r0\\nisb\\nb first"
        :: "r"(stacks[0] + 256) : "r0"); return 0; }
"""
)


@pytest.mark.parametrize("board", FPU_BOARDS)
@pytest.mark.parametrize("uses_fpu", [False, True])
def test_context_switch_between_two_process_stacks(board: str, uses_fpu: bool) -> None:
    exc_return = "0xFFFFFFBC" if board == "generic_m33" else "0xFFFFFFFD"
    state = "volatile float total[2];" if uses_fpu else ""
    work = "total[which] += 1.5f * (float)(which + 1);" if uses_fpu else ""
    source = SWITCH_V7.replace("EXC_RETURN", exc_return)
    source = source.replace("FLOAT_STATE", state).replace("WORK", work)
    loaded = run(source, board)
    assert word(loaded, "switches") == 40
    assert [int.from_bytes(_bytes(loaded, "progress", 4 * i), "little") for i in (0, 1)] == [20, 20]
    if uses_fpu:
        import struct

        totals = [struct.unpack("<f", _bytes(loaded, "total", 4 * i))[0] for i in (0, 1)]
        assert totals == [30.0, 60.0]


def test_exception_overhead_is_counted() -> None:
    loaded = machine(
        PRELUDE + "volatile unsigned n; void PendSV_Handler(void) { n++; }"
        '__attribute__((noipa)) void probe(void) { ICSR = 1u << 28; __asm volatile("dsb\\nisb"); }'
        "void (*volatile keep)(void) = probe; int main(void) { return keep == 0; }"
    )
    loaded.boot("main")
    loaded.call(loaded.image.symbol("probe").address)
    assert word(loaded, "n") == 1
    assert loaded.interrupts.cycles == 12 + 10


def test_sleep_waits_for_the_next_tick() -> None:
    loaded = run(
        """
volatile unsigned ticks;
void SysTick_Handler(void) { ticks++; }
int main(void) {
    REG(0xE000E014) = 9999; REG(0xE000E018) = 0; REG(0xE000E010) = 7;
    while (ticks < 3) __asm volatile("wfi");
    REG(0xE000E010) = 0; finish(); return 0; }
""",
        "generic_m4",
    )
    from tinysim.simulator.machine import Machine

    assert isinstance(loaded, Machine)
    assert 30_000 <= loaded.now_cycles() <= 30_400
    assert loaded.sleep_cycles > 29_000


def test_ranking_follows_priority_then_number() -> None:
    nvic = Nvic(priority_bits=4)
    nvic.write(0xE100, 0b110)
    nvic.write(0xE400, 0x40 << 16 | 0x80 << 8)
    nvic.pend(FIRST_IRQ + 1)
    nvic.pend(FIRST_IRQ + 2)
    nvic.pend(PENDSV)
    nvic.write(0xED20, 0xF0 << 16)
    assert nvic.next_to_take(0, 0, 0) == FIRST_IRQ + 2
    assert nvic.next_to_take(1, 0, 0) is None
    assert nvic.next_to_take(0, 0x40, 0) is None
    nvic.activate(FIRST_IRQ + 2)
    assert nvic.next_to_take(0, 0, 0) is None
    nvic.deactivate()
    assert nvic.next_to_take(0, 0, 0) == FIRST_IRQ + 1
    nvic.pend(SYSTICK)
    assert nvic.next_to_take(0, 0, 0) == SYSTICK  # priority 0 by default


def test_line_pends_when_it_rises_and_again_while_it_stays_high() -> None:
    nvic = Nvic(priority_bits=2)
    nvic.write(0xE100, 1 << 5)
    nvic.set_line(5, True)
    assert nvic.next_to_take(0, 0, 0) == FIRST_IRQ + 5
    nvic.activate(FIRST_IRQ + 5)
    assert nvic.next_to_take(0, 0, 0) is None
    nvic.deactivate()
    assert nvic.next_to_take(0, 0, 0) == FIRST_IRQ + 5
    nvic.activate(FIRST_IRQ + 5)
    nvic.set_line(5, False)
    nvic.deactivate()
    assert nvic.next_to_take(0, 0, 0) is None


def test_line_that_falls_again_has_pended() -> None:
    nvic = Nvic(priority_bits=2)
    nvic.write(0xE100, 1 << 5)
    nvic.set_line(5, True)
    nvic.write(0xE280, 1 << 5)
    assert nvic.next_to_take(0, 0, 0) == FIRST_IRQ + 5, "cleared while the line is high"
    nvic.set_line(5, False)
    assert nvic.next_to_take(0, 0, 0) == FIRST_IRQ + 5
    nvic.write(0xE280, 1 << 5)
    assert nvic.next_to_take(0, 0, 0) is None
