"""What it costs a board to decode weights that are stored as ``stored_size`` does.

A decoder in C is compiled for the board and run there, a tensor a call, as a program would that
decodes each layer before it computes it. What it leaves in memory is compared with the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from tinysim.boards import load_board
from tinysim.compiler.toolchain import build
from tinysim.errors import InternalError
from tinysim.kernels import read_kernel
from tinysim.lab.stored_size import Floats, Stored
from tinysim.simulator.cores import load_core
from tinysim.simulator.counting import count
from tinysim.simulator.images import Image
from tinysim.simulator.images.elf import read_elf
from tinysim.simulator.machine import Machine


@dataclass(frozen=True)
class DecodeCost:
    """Of all tensors once; ``buffer_bytes`` holds the largest, ``table_bytes`` are besides it."""

    board: str
    cycles: int
    latency_s: float
    code_bytes: int
    table_bytes: int
    buffer_bytes: int

    def __str__(self) -> str:
        ram_bytes = self.table_bytes + self.buffer_bytes
        return (
            f"{self.cycles:,} cycles, {self.latency_s * 1e3:.1f} ms, "
            f"{self.code_bytes:,} bytes of code and {ram_bytes:,} of RAM"
        )


def decode_cost(stored: Stored, weights: Mapping[str, Floats], board: str) -> DecodeCost:
    """Decode on a board what ``encode(weights)`` has stored.

    Raises
    ------
    TinysimError
        If the board is not known, there is no compiler, or the board finds other weights.
    """
    description = load_board(board)
    core = load_core(description.core)
    largest = max(values.size for values in weights.values())
    sources = {"startup.c": read_kernel("startup.c"), "model.c": "", "weights.c": ""}
    sources["main.c"] = _program(stored, weights, largest)
    image = read_elf(build(sources, description, core.target, 0, "speed").elf)
    machine = Machine(description, core, image)
    machine.boot("main")
    cycles = 0
    for name, values in weights.items():
        machine.call(image.symbol("decode_next").address)
        cycles += count(machine, [0] * len(machine.tracer.contexts()))[0].cycles
        expected = np.ascontiguousarray(values, np.float32).tobytes()
        if machine.read(image.symbol("decoded").address, len(expected)) != expected:
            raise InternalError(
                "the decoder finds other weights than were stored",
                where=f"{name} on {board}",
                fix="please report this",
            )
    return DecodeCost(
        board=board,
        cycles=cycles,
        latency_s=cycles / description.clock.hz,
        code_bytes=_size(image, "decode_next", "take_code"),
        table_bytes=_size(image, "tables", "state"),
        buffer_bytes=_size(image, "decoded"),
    )


def _program(stored: Stored, weights: Mapping[str, Floats], largest: int) -> str:
    """Return the decoder and what it decodes."""
    stream = ",".join(map(str, stored.data + bytes(4)))
    sizes = ",".join(str(values.size) for values in weights.values())
    return (
        "#include <stdint.h>\n"
        f"#define MOST_VALUES {largest}\n"
        f"static const uint8_t stored[] = {{{stream}}};\n"
        f"static const uint32_t sizes[] = {{{sizes}}};\n"
        + files("tinysim.lab").joinpath("stored_decoder.c").read_text(encoding="utf-8")
    )


def _size(image: Image, *names: str) -> int:
    return sum(image.symbol(name).size_bytes for name in names)
