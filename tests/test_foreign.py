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

TICKS = """
volatile unsigned ticks;
void SysTick_Handler(void) { ticks++; }
int main(void) {
    *(volatile unsigned *)0xE000E014 = 999; *(volatile unsigned *)0xE000E018 = 0;
    *(volatile unsigned *)0xE000E010 = 7; for (;;) {} }
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


def test_window_that_begins_at_a_function_counts_it_as_called(elf: Path) -> None:
    (profile,) = tinysim.run_firmware(elf, "generic_m4", start="leaf", end="work")
    functions = {one.name: one for one in profile.functions}
    assert functions["leaf"].calls == 4 and functions["middle"].calls == 1
    assert functions["leaf"].own.cycles > functions["middle"].own.cycles


def test_window_from_a_place_back_to_it_is_one_round(elf: Path) -> None:
    rounds = tinysim.run_firmware(elf, "generic_m4", start="work", end="work", repeat=3)
    (once,) = tinysim.run_firmware(elf, "generic_m4", function="work")
    assert once.cycles < rounds[0].cycles == rounds[2].cycles < once.cycles + 20
    assert {one.name: one.calls for one in rounds[1].functions}["leaf"] == 4


@pytest.mark.parametrize("board", ["generic_m0plus", "generic_m4", "generic_m33"])
def test_one_execution_of_a_handler(tmp_path: Path, board: str) -> None:
    path = tmp_path / "ticks.elf"
    path.write_bytes(link(TICKS, board))
    profiles = tinysim.run_firmware(path, board, function="SysTick_Handler", repeat=2)
    assert [one.functions[0].name for one in profiles] == ["SysTick_Handler"] * 2
    assert all(one.cycles < 100 for one in profiles)


def test_stack_counts_what_hardware_pushes(tmp_path: Path) -> None:
    path = tmp_path / "ticks.elf"
    path.write_bytes(link(TICKS, "generic_m0plus"))
    (profile,) = tinysim.run_firmware(path, "generic_m0plus", limit_s=0.001)
    assert profile.stack_bytes is not None and profile.stack_bytes >= 32


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


#: A control block and a buffer that wraps, as SEGGER documents them.
RTT = """
static char ring[16];
struct up { const char *name; char *data; unsigned size, written; volatile unsigned read, flags; };
struct { char id[16]; unsigned ups, downs; struct up up; } _SEGGER_RTT;
volatile unsigned total;
__attribute__((noipa)) void put(const char *text) {
    struct up *b = &_SEGGER_RTT.up;
    for (; *text; text++) {
        while ((b->written + 1) % 16 == b->read) {}
        b->data[b->written] = *text; b->written = (b->written + 1) % 16; total++; } }
int main(void) {
    _SEGGER_RTT.up = (struct up){"Terminal", ring, sizeof ring, 0, 0, 2};
    _SEGGER_RTT.ups = 1;
    for (int i = 0; i < 11; i++) _SEGGER_RTT.id[i] = "SEGGER RTT"[i];
    for (;;) put("0123456789abcdefghij\\n"); }
"""


def test_text_in_a_debuggers_buffer_is_fetched(tmp_path: Path) -> None:
    path = tmp_path / "rtt.elf"
    path.write_bytes(link(RTT, "generic_m4"))
    script = "wait hij\nexpect hij\nexpect hij"
    (profile,) = tinysim.run_firmware(path, "generic_m4", script=script)
    assert profile.console.startswith(b"0123456789abcdefghij\n" * 2)
    (to_the_end,) = tinysim.run_firmware(path, "generic_m4", limit_s=0.0042)
    assert 4 * 15 <= len(to_the_end.console) <= 5 * 15 + 1


def test_program_that_ends_by_itself_ends_the_profile(tmp_path: Path) -> None:
    source = """
volatile int n;
__attribute__((noipa)) void work(void) { for (int i = 0; i < 50; i++) n += i; }
static void semihosting(int number, const void *argument) {
    register int a __asm("r0") = number; register const void *b __asm("r1") = argument;
    __asm volatile("bkpt 0xab" : "+r"(a) : "r"(b) : "memory"); }
int main(void) { work(); semihosting(4, "done"); semihosting(0x18, (void *)0x20026); for (;;) {} }
"""
    path = tmp_path / "ends.elf"
    path.write_bytes(link(source, "generic_m4"))
    (profile,) = tinysim.run_firmware(path, "generic_m4")
    assert profile.console == b"done"
    assert {one.name: one.calls for one in profile.functions}["work"] == 1
    with pytest.raises(SimulationError, match="the program ended before"):
        tinysim.run_firmware(path, "generic_m4", start="work", end="uart:more")
