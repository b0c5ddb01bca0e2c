"""How much slower than the bare emulator is counting? Ratios within one run, by core and workload.

Run it as ``python benchmarks/simulate.py`` on a quiet machine. Goals: at most 1.6 at fidelity 1,
at most 3.7 at fidelity 3.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from statistics import median

import unicorn

from tinysim.boards import Board, Cache, load_board
from tinysim.compiler.toolchain import build
from tinysim.kernels import read_kernel
from tinysim.simulator.cores import load_core
from tinysim.simulator.images import Image
from tinysim.simulator.images.elf import read_elf
from tinysim.simulator.machine import Machine
from tinysim.simulator.machine.engine import REGISTERS, new_engine
from tinysim.simulator.machine.memory import RETURN_ADDRESS, map_memory

BOARDS = ("generic_m0plus", "generic_m4", "generic_m7", "generic_m33")
#: What is executed: a convolution's inner loops, a checksum that branches, sums of floats.
WORKLOADS = {
    "convolution": "int8_t x[256], w[256]; int sum; FAR void work(void) {"
    " for (int i = 0; i < 64; i++) for (int k = 0; k < 256; k++) sum += x[k] * w[(k + i) & 255]; }",
    "checksum": "uint32_t crc; FAR void work(void) { for (uint32_t i = 0; i < 2000; i++) {"
    " crc ^= i; for (int k = 0; k < 8; k++) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1; } }",
    "floats": "float x[256], y; FAR void work(void) {"
    " for (int i = 0; i < 32; i++) for (int k = 0; k < 256; k++) y += x[k] * 0.5f; }",
}
PROGRAM = """
#include <stdint.h>
#define FAR __attribute__((noipa))
{workload}
volatile int rounds;
FAR void many(void) {{ for (int i = rounds; i > 0; i--) work(); }}
void (*volatile keep)(void) = many;
int main(void) {{ return keep == 0; }}
"""


def cached(board: Board) -> Board:
    """Return the board with flash behind caches, so that fidelity 3 has something to follow."""
    flash = replace(board.region("flash"), wait_states=5, code="code", data="data")
    rows = {"lines": 32, "ways": 4, "line_bytes": 32, "word_bytes": 8, "source": "benchmark"}
    caches = (Cache("code", **rows), Cache("data", **rows))  # type: ignore[arg-type]
    others = tuple(region for region in board.regions if region.name != "flash")
    return replace(board, regions=(flash, *others), caches=caches)


def link(workload: str, board: Board) -> Image:
    """Build the program for a board."""
    sources = {"startup.c": read_kernel("startup.c"), "model.c": "", "weights.c": ""}
    sources["main.c"] = PROGRAM.format(workload=workload)
    target = load_core(board.core).target
    return read_elf(build(sources, board, target, arena_bytes=0, optimize="speed").elf)


def bare(image: Image, board: Board, rounds: int) -> float:
    """Return the seconds that the emulator alone takes, translation included."""
    engine = new_engine(load_core(board.core))
    map_memory(engine, board, image)
    engine.mem_write(image.symbol("rounds").address, rounds.to_bytes(4, "little"))
    engine.reg_write(REGISTERS["sp"], board.region("sram").end)
    engine.reg_write(REGISTERS["lr"], RETURN_ADDRESS | 1)
    start = time.process_time()
    engine.emu_start(image.symbol("many").address | 1, RETURN_ADDRESS)
    return time.process_time() - start


def counted(image: Image, board: Board, rounds: int, fidelity: int) -> tuple[float, int]:
    """Return the seconds of a counted run, and its instructions."""
    machine = Machine(board, load_core(board.core), image, fidelity=fidelity)
    machine.boot("main")
    machine.write(image.symbol("rounds").address, rounds.to_bytes(4, "little"))
    start = time.process_time()
    machine.call(image.symbol("many").address)
    return time.process_time() - start, machine.tracer.instructions


def main() -> None:
    """Print a line a core and workload."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instructions", type=float, default=50, help="millions a run")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print(f"unicorn {unicorn.__version__}; CPU time, median of {arguments.repeats}")
    print(f"{'core':12} {'workload':12} {'bare MIPS':>10} {'fidelity 1':>11} {'fidelity 3':>11}")
    for name in BOARDS:
        board = cached(load_board(name))
        for title, workload in WORKLOADS.items():
            image = link(workload, board)
            _, once = counted(image, board, 1, fidelity=1)
            rounds = max(1, round(arguments.instructions * 1e6 / once))
            times: dict[str, list[float]] = {"bare": [], "1": [], "3": []}
            for _ in range(arguments.repeats):
                times["bare"].append(bare(image, board, rounds))
                times["1"].append(counted(image, board, rounds, 1)[0])
                times["3"].append(counted(image, board, rounds, 3)[0])
            raw = median(times["bare"])
            print(
                f"{board.core:12} {title:12} {rounds * once / raw / 1e6:10.0f} "
                f"{median(times['1']) / raw:11.2f} {median(times['3']) / raw:11.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
