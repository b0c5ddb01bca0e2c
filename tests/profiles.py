"""Profiles made by hand: small numbers that tests can reckon with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tinysim.firmware import TensorPlacement, Toolchain
from tinysim.simulator.profile import (
    Counters,
    Energy,
    LayerProfile,
    OutputCheck,
    Profile,
    RegionUse,
    Timing,
)

CLOCK_HZ = 1_000_000


def layer(index: int, op: str, cycles: int, macs: int = 0, **stalls: int) -> LayerProfile:
    """Return a layer of an output of 1 x 2 x 2 x 4, called ``net/<index>``."""
    issue = cycles - sum(stalls.values())
    counters = Counters(issue, issue, stalls)
    return LayerProfile(index, f"net/{index}", op, "kernel", (1, 2, 2, 4), macs, counters)


def placed(name: str, offset: int, size: int, first: int, last: int) -> TensorPlacement:
    """Return an activation of bytes."""
    return TensorPlacement(name, "activation", (size,), "int8", offset, size, first, last)


def profile(**changes: Any) -> Profile:
    """Return 10,000 cycles at 1 MHz, good to -20 % .. +25 %: on a board 8 ms to 12.5 ms."""
    usual = Profile(
        tinysim_version="0.1.0",
        model_name="net.tflite",
        model_sha256="0" * 64,
        board="bench",
        board_title="A bench",
        board_sha256="1" * 64,
        core="cortex_m4",
        core_sha256="2" * 64,
        clock_hz=CLOCK_HZ,
        toolchain=Toolchain("gcc", "gcc 12", ("-O2",)),
        timing=Timing("A", -0.2, 0.25, 3, "made up"),
        layers=(
            layer(0, "CONV_2D", 6000, macs=1600, load=2000),
            layer(1, "CONV_2D", 3000, macs=400),
            layer(2, "SOFTMAX", 900),
        ),
        runtime=Counters(100, 100, {}),
        startup=Counters(0, 0, {}),
        regions=(
            RegionUse("flash", "flash", 0, 10_000, 0, 2, {"weights": 4000, "code": 1000}),
            RegionUse("sram", "ram", 0x2000_0000, 4000, 0, 0, {"arena": 1000, "stack": 200}),
        ),
        arena_bytes=1000,
        arena_lower_bound_bytes=900,
        stack_bytes=200,
        stack_written_bytes=200,
        arena_written_bytes=1000,
        input_infos=(),
        output_infos=(),
        inputs=(),
        outputs=(),
        energy=Energy(0.9e-3, 1e-3, 1.5e-3, "run", "made up"),
        output_check=OutputCheck("exact", "host"),
        removed=(),
        tensors=(
            placed("first", 0, 600, -1, 0),
            placed("second", 600, 400, 0, 1),
            placed("third", 0, 50, 1, 2),
        ),
    )
    return replace(usual, **changes)
