"""Small firmware for tests: C or assembly, linked with our start-up for a board."""

from __future__ import annotations

from functools import lru_cache

from tinysim.boards import Board, load_board
from tinysim.compiler.toolchain import build
from tinysim.kernels import read_kernel
from tinysim.simulator.cores import load_core
from tinysim.simulator.counting import count
from tinysim.simulator.images.elf import read_elf
from tinysim.simulator.machine import Limits, Machine
from tinysim.simulator.profile import Counters

#: The yardstick board of each core.
BOARD_OF = {
    "cortex_m0": "generic_m0",
    "cortex_m3": "generic_m3",
    "cortex_m4": "generic_m4",
    "cortex_m0plus": "generic_m0plus",
    "cortex_m4f": "generic_m4",
    "cortex_m7_sp": "generic_m7",
    "cortex_m33": "generic_m33",
    "cortex_m7_dp": "generic_m7",
}


@lru_cache(maxsize=64)
def link(source: str, board: str, core: str | None = None) -> bytes:
    """Compile ``source`` (C) as the program and return its ELF; ``core`` replaces the board's."""
    description = load_board(board)
    sources = {"startup.c": read_kernel("startup.c"), "main.c": source}
    sources |= {"model.c": "", "weights.c": ""}
    target = load_core(core or description.core).target
    return build(sources, description, target, arena_bytes=0, optimize="speed").elf


def machine(
    source: str,
    board: str = "generic_m4",
    use_native: bool = True,
    limits: Limits | None = None,
    core: str | None = None,
    variant: Board | None = None,
    fidelity: int | None = None,
) -> Machine:
    """Return a machine with the program loaded, before reset.

    ``variant`` takes the board's place once the program is linked for it.
    """
    description = variant or load_board(board)
    image = read_elf(link(source, board, core))
    return Machine(
        description, load_core(core or description.core), image, limits, use_native, fidelity
    )


def assembly(body: str, function: str = "probe") -> str:
    """Wrap Thumb assembly in a function next to an empty ``main``."""
    lines = "".join(f'    "{line.strip()}\\n"\n' for line in body.strip().splitlines())
    return f"""
void {function}(void);
void (*volatile keep)(void) = {function}; /* or the linker would drop it */
int main(void) {{ return keep == 0; }}
__asm(
    ".syntax unified\\n.text\\n.balign 8\\n.thumb_func\\n.global {function}\\n"
    ".type {function}, %function\\n{function}:\\n"
{lines}
    ".size {function}, . - {function}\\n");
"""


def call(machine: Machine, function: str, argument: int = 0) -> None:
    """Call a function by name."""
    machine.call(machine.image.symbol(function).address, argument)


def counted(machine: Machine) -> Counters:
    """Add up what a machine has executed since it was last cleared."""
    return count(machine, [0] * len(machine.tracer.contexts()))[0]


def probe(body: str, core: str) -> Counters:
    """Run assembly once, as a called function on a core's yardstick board, and count it."""
    loaded = machine(assembly(body), BOARD_OF[core], core=core)
    loaded.boot("main")
    call(loaded, "probe", loaded.board.region(loaded.board.placement.data).base + 0x1000)
    return counted(loaded)
