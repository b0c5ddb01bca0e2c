"""Firmware that starts its chip as vendors' code does: clocks, caches, interrupts, console."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

import tinysim
from tests.firmware import link
from tests.test_images import uf2
from tinysim.boards import load_board
from tinysim.compiler.toolchain import build
from tinysim.kernels import read_kernel
from tinysim.simulator.cores import load_core
from tinysim.simulator.images import read_image
from tinysim.simulator.machine import Machine
from tinysim.simulator.profile import FirmwareProfile

FOLDER = Path(__file__).parent / "startup"
#: Board -> its chip's file, and the clock that it programs.
CHIPS = {
    "nucleo_l4r5zi": ("l4r5.c", 120_000_000),
    "disco_f746ng": ("f746.c", 216_000_000),
    "nano33ble": ("nrf52840.c", 64_000_000),
    "rpi_pico": ("rp2040.c", 125_000_000),
}

SCRIPT = "wait >\nsend 7%\nexpect 49\nexpect >\nsend 4%\nexpect 16\nexpect >\nrun 0.049"
CONSOLE = b"hello\r\n> 49\r\n> 16\r\n>"

PICO_FLASH, BOOT2_BYTES = 0x1000_0000, 256
RP2040_FAMILY = 0xE48B_FF56
#: Where the boot ROM puts the second stage (datasheet 2.8.1.3.1).
RUNS_AT = 0x2004_1F00


def source(board: str) -> str:
    """Return what all chips do, and what this one does to start."""
    return (FOLDER / "program.c").read_text() + (FOLDER / CHIPS[board][0]).read_text()


@lru_cache
def firmware(board: str) -> bytes:
    """Return the ELF of a board's firmware; the Pico's has its boot loader in front."""
    return linked_with_boot2(board) if board == "rpi_pico" else link(source(board), board)


def linked_with_boot2(board: str) -> bytes:
    """Link with ``.boot2`` at the start of the flash, its checksum included."""
    description = load_board(board)
    target = load_core(description.core).target
    sources = {"startup.c": read_kernel("startup.c"), "main.c": source(board)}
    model = {"model.c": "", "weights.c": ""}
    script = build(sources | model, description, target, arena_bytes=0, optimize="speed")
    boot2 = f".boot2 {PICO_FLASH:#x} : {{ KEEP(*(.boot2)) . = {BOOT2_BYTES - 4}; LONG(0) }}"
    files = {"link.ld": script.link_script.replace("SECTIONS\n{", f"SECTIONS\n{{\n    {boot2}")}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in (files | sources).items():
            (folder / file).write_text(text)
        command = ["arm-none-eabi-gcc", *target.flags, "-O2", "-ffunction-sections", *sources]
        command += ["-nostartfiles", "--specs=nano.specs", "-T", "link.ld", "-Wl,--gc-sections"]
        command += ["-Wl,--no-warn-rwx-segments", "-o", "firmware.elf"]
        subprocess.run(command, cwd=folder, check=True)
        elf = bytearray((folder / "firmware.elf").read_bytes())
    section = ELFFile(io.BytesIO(elf)).get_section_by_name(".boot2")
    assert section is not None
    start = section["sh_offset"]
    end = start + BOOT2_BYTES - 4
    elf[end : end + 4] = struct.pack("<I", checksum(bytes(elf[start:end])))
    return bytes(elf)


def checksum(data: bytes) -> int:
    """Return the CRC-32 that the RP2040's boot ROM wants (datasheet 2.8.1.3.1): not reflected."""
    crc = 0xFFFF_FFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C1_1DB7 if crc >> 31 else 0)) & 0xFFFF_FFFF
    return crc


def saved(board: str, folder: Path) -> Path:
    """Write a board's firmware to a file."""
    path = folder / f"{board}.elf"
    path.write_bytes(firmware(board))
    return path


def run(
    path: Path,
    board: str,
    start: str | None = None,
    end: str | None = None,
    function: str | None = None,
    call: str | None = None,
) -> FirmwareProfile:
    """Talk to a firmware for 50 ms, and profile a window of it, or all."""
    (profile,) = tinysim.run_firmware(
        path,
        board,
        start=start,
        end=end,
        function=function,
        call=call,
        script=SCRIPT,
        limit_s=0.1,
    )
    return profile


def calls(profile: FirmwareProfile) -> dict[str, int]:
    """Return how often each function was called."""
    return {function.name: function.calls for function in profile.functions}


@pytest.mark.parametrize("board", CHIPS)
def test_vendor_style_start_up_boots_talks_and_is_profiled(board: str, tmp_path: Path) -> None:
    profile = run(saved(board, tmp_path), board)
    assert profile.console == CONSOLE + b" "
    assert profile.clock_hz == CHIPS[board][1]
    assert profile.clock_source == "as the firmware programmed it"
    assert profile.notes == ()
    found = calls(profile)
    assert found["square"] == 2
    assert sum(n for name, n in found.items() if name.endswith("_IRQHandler")) == len("7%4%")
    # A tick a millisecond of the clock that was programmed, the first one after start-up.
    assert 49 <= found["SysTick_Handler"] <= 50
    assert 0.99 < profile.sleep_cycles / profile.cycles < 1


@pytest.mark.parametrize("board", CHIPS)
def test_windows_of_a_firmware_with_interrupts(board: str, tmp_path: Path) -> None:
    path = saved(board, tmp_path)
    once = run(path, board, function="square")
    assert calls(once) == {"square": 1} and once.console == b"hello\r\n>" + b" "
    called = run(path, board, call="square")
    assert called.cycles <= once.cycles and called.console.rstrip() == CONSOLE
    answer = run(path, board, start="square", end="put")
    assert once.cycles < answer.cycles < 2000 and answer.sleep_cycles == 0
    rest_of_tick = run(path, board, start="square", end="SysTick_Handler")
    assert rest_of_tick.sleep_cycles < rest_of_tick.cycles < CHIPS[board][1] // 1000
    assert "SysTick_Handler" not in calls(rest_of_tick)


@pytest.mark.parametrize("suffix", ["bin", "uf2"])
def test_bare_pico_image_starts_behind_its_boot_loader(suffix: str, tmp_path: Path) -> None:
    board = "rpi_pico"
    elf = read_image(saved(board, tmp_path), PICO_FLASH)
    (segment,) = elf.segments
    assert segment.address == PICO_FLASH
    path = tmp_path / f"firmware.{suffix}"
    is_uf2 = suffix == "uf2"
    path.write_bytes(uf2(segment.data, PICO_FLASH, RP2040_FAMILY) if is_uf2 else segment.data)
    assert read_image(path, PICO_FLASH).vectors_address == PICO_FLASH + BOOT2_BYTES
    profile = run(path, board)
    assert profile.console.rstrip() == CONSOLE
    assert profile.clock_hz == CHIPS[board][1] and profile.notes == ()
    assert calls(profile)[f"{elf.symbol('square').address:#010x}"] == 2


def test_second_stage_boot_loader_sets_up_flash_and_enters_the_program(tmp_path: Path) -> None:
    board = load_board("rpi_pico")
    image = read_image(saved(board.name, tmp_path), PICO_FLASH)
    machine = Machine(board, load_core(board.core), image)
    data = machine.read(PICO_FLASH, BOOT2_BYTES)
    assert checksum(b"123456789") == 0x0376_E6E7  # CRC-32/MPEG-2's check value
    assert checksum(data[:-4]) == int.from_bytes(data[-4:], "little")
    machine.reset()
    assert machine.get("pc") & ~1 == RUNS_AT and machine.read(RUNS_AT, BOOT2_BYTES) == data
    # As the boot ROM leaves the core: on a stack of its own, its own vectors in use.
    machine.set("sp", RUNS_AT)
    machine.system.write(0xED08, 4, 0)
    assert machine.run_until(image.symbol("Reset_Handler").address)
    stack_top = int.from_bytes(machine.read(image.vectors_address, 4), "little")
    assert machine.get("sp") == stack_top
    assert machine.system.vector_table == image.vectors_address == PICO_FLASH + BOOT2_BYTES
    assert machine.chip.bus is not None and not machine.notes
    ssi = {
        offset: machine.chip.bus.read(0x1800_0000 + offset, 4)
        for offset in (0x00, 0x08, 0x14, 0xF4)
    }
    assert ssi == {0x00: 0x001F_0300, 0x08: 1, 0x14: 4, 0xF4: 0x0300_0218}


def test_terminal_talks_to_the_firmware(tmp_path: Path) -> None:
    """Here a pipe; what comes when the pipe has ended is still shown."""
    path = saved("nucleo_l4r5zi", tmp_path)
    command = [sys.executable, "-m", "tinysim", "run", str(path), "-b", "nucleo_l4r5zi"]
    result = subprocess.run(
        [*command, "--uart-in", "-"], input=b"7%5%", capture_output=True, check=True
    )
    assert result.stdout.startswith(b"hello\r\n> ")
    assert b"49\r\n> 25\r\n> " in result.stdout and b"call tree" in result.stdout
