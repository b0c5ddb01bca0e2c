"""Where a window begins and ends: lines on the console, writes to registers, pins that change."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import tinysim
from tests.firmware import link
from tests.test_cli import failure
from tests.test_cli import tinysim as command
from tinysim.errors import SimulationError

#: Blinks a pin around each round of work, and says so over the UART.
BLINK = """
#define REG(address) (*(volatile unsigned *)(address))
#define FAR __attribute__((noipa))
volatile int n;
static void put(const char *text) { for (; *text; text++) REG(0x40008028) = *text; }
FAR void work(int k) { for (int i = 0; i < k; i++) n += i; }
int main(void) {
    for (int round = 1;; round++) {
        put("begin\\r\\n");
        REG(0x48000418) = 1u << 7;
        work(100 * round);
        REG(0x48000418) = 1u << 23;
        put("end\\r\\n");
    }
}
"""
PRINT = """
static void say(const char *text) {
    register int a __asm("r0") = 4; register const char *b __asm("r1") = text;
    __asm volatile("bkpt 0xab" : "+r"(a) : "r"(b) : "memory"); }
volatile int n;
__attribute__((noipa)) void work(void) { for (int i = 0; i < 50; i++) n += i; }
int main(void) { for (;;) { say("ready"); work(); say("done"); } }
"""


@pytest.fixture
def blink(tmp_path: Path) -> Path:
    path = tmp_path / "blink.elf"
    path.write_bytes(link(BLINK, "nucleo_l4r5zi"))
    return path


def cycles(path: Path, start: str, end: str) -> int:
    """Measure the first window between two places, in which ``work`` is called once."""
    (profile,) = tinysim.run_firmware(path, "nucleo_l4r5zi", start=start, end=end)
    assert {one.name: one.calls for one in profile.functions}["work"] == 1
    return profile.cycles


def test_windows_between_lines_pins_and_writes(blink: Path) -> None:
    by_pin = cycles(blink, "field:GPIOB.ODR.7=1", "field:GPIOB.ODR.7=0")
    assert by_pin == cycles(blink, "write:0x48000418", "write:0x48000418")
    by_line = cycles(blink, r"uart:begin\r\n", "uart:end")
    assert by_pin < by_line < by_pin + 200


def test_repeated_windows_begin_anew(blink: Path) -> None:
    profiles = tinysim.run_firmware(
        blink, "nucleo_l4r5zi", start="field:GPIOB.ODR.7=1", end="field:GPIOB.ODR.7=0", repeat=4
    )
    _, second, third, fourth = (profile.cycles for profile in profiles)  # the first fills caches
    assert third - second == fourth - third > 0


def test_lines_over_semihosting_are_places_too(tmp_path: Path) -> None:
    path = tmp_path / "print.elf"
    path.write_bytes(link(PRINT, "generic_m4"))
    (profile,) = tinysim.run_firmware(path, "generic_m4", start="uart:ready", end="uart:done")
    assert {one.name: one.calls for one in profile.functions}["work"] == 1
    script = "wait ready\nexpect done\nexpect ready"
    (talk,) = tinysim.run_firmware(path, "generic_m4", script=script)
    assert talk.console == b"readydoneready", "a script's end ends the run"


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("nothing", "no symbol nothing"),
        ("write:pin", "names no address"),
        ("field:GPIOB.7", "is not understood"),
        ("field:GPIOX.ODR.7=1", "has no GPIOX.ODR"),
        ("field:GPIOB.OUT.7=1", "choose one of .*ODR"),
    ],
)
def test_place_that_is_none_is_told(blink: Path, place: str, what: str) -> None:
    with pytest.raises(SimulationError, match=what):
        tinysim.run_firmware(blink, "nucleo_l4r5zi", start=place)


UNKNOWN = """
#define REG(address) (*(volatile unsigned *)(address))
volatile unsigned seen;
__attribute__((noipa)) void finish(void) {}
int main(void) { REG(0x5C000010) = 5; seen = REG(0x5C000010) + 1; finish(); for (;;) {} }
"""


def test_unknown_peripherals_warn_read_zero_or_fault(tmp_path: Path) -> None:
    path = tmp_path / "unknown.elf"
    path.write_bytes(link(UNKNOWN, "nucleo_l4r5zi"))

    def notes(unknown: str) -> tuple[str, ...]:
        (profile,) = tinysim.run_firmware(path, "nucleo_l4r5zi", end="finish", unknown=unknown)
        return profile.notes

    (note,) = notes("warn")
    assert "0x5c000010" in note and "not described" in note
    assert notes("zero") == ()
    with pytest.raises(SimulationError, match=r"0x5c000010.*not described.*--unknown warn"):
        notes("fault")


def test_command_line_writes_stacks_and_tells_first_from_steady(
    blink: Path, tmp_path: Path
) -> None:
    target = tmp_path / "stacks.txt"
    window = ["--from", "work", "--to", "work", "--repeat", "3", "--flame", str(target)]
    shown = command("run", str(blink), "--board", "nucleo_l4r5zi", *window).stdout
    assert "call tree" in shown and "first window" in shown
    stacks = dict(line.rsplit(" ", 1) for line in target.read_text().splitlines())
    assert any(path.endswith("main;work") for path in stacks)
    assert all(int(count) > 0 for count in stacks.values())
    quiet = command("run", str(blink), "--board", "nucleo_l4r5zi", *window, "-q").stdout
    assert "call tree" not in quiet and "first window" in quiet
    refused = ["run", str(blink), "--board", "nucleo_l4r5zi", "--unknown", "maybe"]
    code, complaint = failure(*refused)
    assert code == 2 and "--unknown is warn, zero, fault" in complaint


def test_place_that_cannot_be_written_is_told_before_anything_runs(
    blink: Path, tmp_path: Path
) -> None:
    nowhere = str(tmp_path / "missing" / "out.json")
    start = time.perf_counter()
    code, complaint = failure("run", str(blink), "-b", "nucleo_l4r5zi", "--json", nowhere)
    assert code == 4 and "missing: no folder that can be written" in complaint
    assert time.perf_counter() - start < 5  # not the thirty seconds of its own time
