"""The same image in tinysim and in QEMU: an independent opinion on exceptions and registers.

The programs in ``tests/qemu`` write what they observe to a table and print it by semihosting.
Their sources say what is left out because QEMU is wrong about it or because it is a matter of time.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass, replace
from difflib import unified_diff
from functools import lru_cache
from pathlib import Path

import pytest

from tinysim.boards import Board, MemoryRegion, load_board
from tinysim.compiler.toolchain import build
from tinysim.kernels import read_kernel
from tinysim.simulator.cores import load_core
from tinysim.simulator.decode import Decoder
from tinysim.simulator.images.elf import read_elf
from tinysim.simulator.machine import Limits, Machine

QEMU = shutil.which("qemu-system-arm")
SOURCES = Path(__file__).parent / "qemu"
TIMEOUT_S = 60

pytestmark = pytest.mark.skipif(
    QEMU is None, reason="qemu-system-arm is not on PATH (apt-get install qemu-system-arm)"
)


@dataclass(frozen=True)
class Pair:
    """A machine of QEMU, and the yardstick board that gets its memory map."""

    qemu: str
    board: str
    flash: tuple[int, int]
    ram: tuple[int, int]


PAIRS = {
    "m0": Pair("microbit", "generic_m0plus", (0, 0x4_0000), (0x2000_0000, 0x4000)),
    "m4": Pair("mps2-an386", "generic_m4", (0, 0x40_0000), (0x2000_0000, 0x40_0000)),
    "m7": Pair("mps2-an500", "generic_m7", (0, 0x40_0000), (0x2000_0000, 0x40_0000)),
    # Secure, as it boots: the Secure aliases of the two SSRAMs.
    "m33": Pair("mps2-an505", "generic_m33", (0x1000_0000, 0x40_0000), (0x3800_0000, 0x40_0000)),
}
#: Programs whose course does not depend on time: both emulators execute the same instructions.
DETERMINISTIC = ("exceptions", "it_block", "context_switch")
#: Never returned to: how far it gets beyond pending PendSV before that comes in is free.
UNFINISHED = "leave"
PROGRAMS = (*DETERMINISTIC, "preemption")

EACH_CORE = pytest.mark.parametrize("core", PAIRS)


def board_of(pair: Pair) -> Board:
    """Return the yardstick board with the memory map of QEMU's machine."""
    board = load_board(pair.board)

    def moved(region: MemoryRegion) -> MemoryRegion:
        base, size_bytes = pair.flash if region.kind == "flash" else pair.ram
        return replace(region, base=base, size_bytes=size_bytes, source="QEMU 7.2")

    return replace(board, name=pair.qemu, regions=tuple(moved(one) for one in board.regions))


@lru_cache
def link(program: str, core: str) -> bytes:
    """Compile one of the programs."""
    board = board_of(PAIRS[core])
    sources = {path.name: path.read_text() for path in SOURCES.glob("*.h")}
    sources |= {"startup.c": read_kernel("startup.c"), "model.c": "", "weights.c": ""}
    sources["main.c"] = (SOURCES / f"{program}.c").read_text()
    return build(sources, board, load_core(board.core).target, 0, "speed").elf


@lru_cache
def in_tinysim(program: str, core: str) -> Machine:
    """Run to the end in tinysim."""
    board = board_of(PAIRS[core])
    image = read_elf(link(program, core))
    machine = Machine(board, load_core(board.core), image, Limits(host_seconds=TIMEOUT_S))
    machine.boot("finished")
    return machine


def in_qemu(program: str, core: str, folder: Path, *options: str) -> str:
    """Run to the end in QEMU, and return what it prints."""
    path = folder / f"{program}.elf"
    path.write_bytes(link(program, core))
    command = [str(QEMU), "-M", PAIRS[core].qemu, "-kernel", str(path), "-nographic"]
    command += ["-semihosting-config", "enable=on,target=native", "-display", "none"]
    command += ["-serial", "none", "-monitor", "none", *options]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"QEMU ended with {done.returncode}: {done.stderr[-2000:]}"
    return done.stdout + done.stderr  # version 7 prints what semihosting writes to the latter


@pytest.mark.parametrize("program", PROGRAMS)
@EACH_CORE
def test_observes_the_same_as_in_qemu(core: str, program: str, tmp_path: Path) -> None:
    theirs = in_qemu(program, core, tmp_path).splitlines()
    ours = in_tinysim(program, core).console.decode().splitlines()
    assert len(theirs) >= 3
    different = unified_diff(theirs, ours, "QEMU", "tinysim", n=0, lineterm="")
    assert ours == theirs, "\n".join(different)


@pytest.mark.parametrize("program", DETERMINISTIC)
@EACH_CORE
def test_executes_the_same_as_qemu(core: str, program: str, tmp_path: Path) -> None:
    """How often each instruction was executed, added up by function."""
    machine = in_tinysim(program, core)
    decoder = Decoder(machine.read)

    def function(address: int) -> str:
        return machine.image.function_at(address).partition("+")[0]

    ours: Counter[str] = Counter()
    for run in machine.tracer.counts():
        for one in decoder.between(run.start, run.end):
            ours[function(one.address)] += run.count
    log = tmp_path / "log"
    # One instruction a block: the option is called one-insn-per-tb from QEMU 8.1 on.
    in_qemu(program, core, tmp_path, "-singlestep", "-d", "exec,nochain", "-D", str(log))
    theirs: Counter[str] = Counter()
    end = machine.image.symbol("finished").address
    for address, times in executed(log, end).items():
        theirs[function(address)] += times
    for counts in (ours, theirs):
        counts.pop(UNFINISHED, None)
    assert sum(theirs.values()) > 1000
    assert ours == theirs


def executed(log: Path, end: int) -> Counter[int]:
    """Count the instructions that QEMU has executed before the one at ``end``, by address.

    A block that it enters and at once leaves for an interrupt is in the log twice: as executed,
    and as stopped.
    """
    found: Counter[int] = Counter()
    trace = re.compile(r"Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/")
    stopped = re.compile(r"Stopped execution of TB chain before \S+ \[([0-9a-f]+)\]")
    for line in log.read_text().splitlines():
        if match := trace.match(line):
            address = int(match[1], 16)
            if address == end:
                break
            found[address] += 1
        elif match := stopped.match(line):
            found[int(match[1], 16)] -= 1
    return +found
