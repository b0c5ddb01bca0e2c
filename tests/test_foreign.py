"""Any firmware: boots, talks over its UART, is profiled function by function."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import tinysim
from tests.firmware import link
from tests.test_cli import failure
from tests.test_cli import tinysim as command
from tinysim.errors import LimitError, SimulationError
from tinysim.simulator.script import parse_script

WORK = """
#define FAR __attribute__((noipa))
volatile int n;
FAR void leaf(int k) { for (int i = 0; i < k; i++) n += i; }
FAR void middle(int k) { leaf(k); leaf(2 * k); }
FAR void work(void) { middle(10); middle(20); n++; }
int main(void) { for (;;) work(); }
"""

#: Start-up as a vendor's library does it: PLL to 120 MHz, flash latency, interrupt-driven UART.
L4R5 = """
#define REG(address) (*(volatile unsigned *)(address))
#define RCC 0x40021000
#define UART 0x40008000
volatile unsigned ticks; static char line[16]; static volatile unsigned length;
static void put(const char *text) {
    for (; *text; text++) { while (!(REG(UART + 0x1C) & 1u << 7)) {} REG(UART + 0x28) = *text; } }
void SysTick_Handler(void) { ticks++; }
void LPUART1_IRQHandler(void) {
    if (REG(UART + 0x1C) & 1u << 5) line[length++ & 15] = (char)REG(UART + 0x24); }
__attribute__((noipa)) int square(int k) { return k * k; }
__attribute__((aligned(512))) void (*table[128])(void);
int main(void) {
    unsigned *flash = (unsigned *)REG(0xE000ED08);
    for (int i = 0; i < 16; i++) table[i] = (void (*)(void))flash[i];
    table[16 + 70] = LPUART1_IRQHandler; REG(0xE000ED08) = (unsigned)table;
    REG(0x40022000) = (REG(0x40022000) & ~15u) | 5u;
    while ((REG(0x40022000) & 15u) != 5u) {}
    REG(RCC + 0x0C) = 1u | 0u << 4 | 60u << 8 | 1u << 24;      /* MSI 4 MHz / 1 * 60 / 2 */
    REG(RCC) |= 1u << 24; while (!(REG(RCC) & 1u << 25)) {}
    REG(RCC + 0x08) = 3u; while ((REG(RCC + 0x08) >> 2 & 3u) != 3u) {}
    REG(0xE000E014) = 119999; REG(0xE000E018) = 0; REG(0xE000E010) = 7;
    REG(UART) = 0x2D; REG(0xE000E108) = 1u << (70 - 64);
    put("hello\\r\\n> ");
    for (;;) {
        while (!length || line[(length - 1) & 15] != '%') __asm volatile("wfi");
        char answer[4] = {(char)('0' + square(line[0] - '0') % 10), '\\r', '\\n', 0};
        length = 0; put(answer); put("> ");
    }
}
"""


@pytest.fixture
def elf(tmp_path: Path) -> Path:
    path = tmp_path / "work.elf"
    path.write_bytes(link(WORK, "generic_m4"))
    return path


def test_one_execution_of_a_function_with_its_callees(elf: Path) -> None:
    (profile,) = tinysim.run_firmware(elf, "generic_m4", function="work")
    functions = {one.name: one for one in profile.functions}
    assert set(functions) == {"work", "middle", "leaf"}
    assert functions["leaf"].calls == 4 and functions["middle"].calls == 2
    assert functions["work"].inclusive_cycles == profile.total.cycles == profile.cycles
    assert sum(one.own.cycles for one in profile.functions) == profile.cycles
    assert dict(profile.paths)["work", "middle", "leaf"] == functions["leaf"].own.cycles
    assert profile.hottest[0].function.startswith("leaf")


def test_between_two_places_and_repeated(elf: Path) -> None:
    profiles = tinysim.run_firmware(elf, "generic_m4", start="middle", end="work", repeat=3)
    assert [profile.window for profile in profiles] == ["from middle to work"] * 3
    assert profiles[1].cycles == profiles[2].cycles
    assert tinysim.run_firmware(elf, "generic_m4", call="work")[0].total.instructions > 100


def test_without_a_window_all_is_profiled_up_to_the_limit(elf: Path) -> None:
    (profile,) = tinysim.run_firmware(elf, "generic_m4", limit_s=0.001)
    assert 100_000 <= profile.cycles <= 101_000
    assert profile.functions[0].name == "leaf"


def test_a_window_that_never_comes_is_an_error(elf: Path) -> None:
    with pytest.raises(LimitError, match=r"still running after 0\.01 s of its time"):
        tinysim.run_firmware(elf, "generic_m4", start="ts_halt", limit_s=0.01)
    with pytest.raises(SimulationError, match="there is no symbol nowhere"):
        tinysim.run_firmware(elf, "generic_m4", function="nowhere")


def test_bare_image_is_profiled_by_address(elf: Path, tmp_path: Path) -> None:
    raw = tmp_path / "work.bin"
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", elf, raw], check=True)
    named = tinysim.run_firmware(elf, "generic_m4", function="work")[0]
    address = next(one.address for one in named.functions if one.name == "work")
    (profile,) = tinysim.run_firmware(raw, "generic_m4", function=hex(address))
    assert profile.cycles == named.cycles
    assert all(one.name == f"{one.address:#010x}" for one in profile.functions)


def test_vendor_style_start_up_boots_talks_and_is_profiled(tmp_path: Path) -> None:
    path = tmp_path / "l4r5.elf"
    path.write_bytes(link(L4R5, "nucleo_l4r5zi"))
    script = "wait >\nsend 7%\nexpect 9\nexpect >\nsend 4%\nexpect 6"
    (profile,) = tinysim.run_firmware(
        path, "nucleo_l4r5zi", script=script, call="square", limit_s=1.0
    )
    assert profile.console == b"hello\r\n> 9\r\n> 6"
    assert profile.clock_hz == 120_000_000
    assert profile.clock_source == "as the firmware programmed it"
    assert profile.notes == ()


def test_command_line_shows_functions_and_writes_data(elf: Path, tmp_path: Path) -> None:
    shown = command("run", elf, "--board", "generic_m4", "--function", "work")
    assert shown.returncode == 0, shown.stderr
    assert "with callees" in shown.stdout and "middle" in shown.stdout
    target = tmp_path / "profile.json"
    more = ("--function", "work", "--json", target)
    assert command("run", elf, "--board", "generic_m4", *more).returncode == 0
    data = json.loads(target.read_text())
    assert sum(path["cycles"] for path in data["paths"]) == data["totals"]["cycles"]


def test_command_line_refuses_what_makes_no_sense(elf: Path, tmp_path: Path) -> None:
    assert failure("run", elf, "--board", "all")[0] == 2
    assert failure("run", elf, "-b", "generic_m4", "--limit", "soon")[0] == 2
    (tmp_path / "talk").write_text("shout hello\ntimeout long\n")
    code, text = failure("run", elf, "-b", "generic_m4", "--uart-in", tmp_path / "talk")
    assert code == 3 and "line 1: 'shout'" in text and "line 2: 'long'" in text
    (tmp_path / "empty.bin").write_bytes(b"")
    code, text = failure("run", tmp_path / "empty.bin", "-b", "generic_m4")
    assert code == 3


def test_script_reads_steps_with_their_time() -> None:
    steps = parse_script(
        r"""
# a comment
wait ready>
timeout 2
send a\r\x41
expect ok
""",
        "talk",
    )
    assert [(step.verb, step.text, step.timeout_s) for step in steps] == [
        ("wait", b"ready>", 30.0),
        ("send", b"a\rA", 2.0),
        ("expect", b"ok", 2.0),
    ]


def test_hottest_instructions_name_their_source_lines(tmp_path: Path) -> None:
    source = tmp_path / "work.c"
    source.write_text(WORK)
    board = ["-mcpu=cortex-m4", "-mthumb", "-g", "-O2", "-nostartfiles", "--specs=nosys.specs"]
    startup = 'void _start(void) __attribute__((alias("main")));'
    table = '__attribute__((section(".vectors"))) void *v[] = {(void *)0x20010000, (void *)main};'
    source.write_text(f"{WORK}\n{startup}\n{table}\n")
    where = ["-Wl,--section-start=.vectors=0x08000000", "-Wl,-Ttext=0x08000100"]
    where += ["-Wl,-Tdata=0x20000000"]
    command_line = ["arm-none-eabi-gcc", *board, *where, source.name, "-o", "work.elf"]
    subprocess.run(command_line, cwd=tmp_path, check=True, capture_output=True)
    (profile,) = tinysim.run_firmware(tmp_path / "work.elf", "generic_m4", function="work")
    line = next(n for n, text in enumerate(WORK.splitlines(), 1) if "void leaf" in text)
    assert profile.hottest[0].line == f"work.c:{line}"
