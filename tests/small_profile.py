"""A profile made by hand: small enough to write down what each report must say of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinysim.firmware import TensorInfo, TensorPlacement, Toolchain
from tinysim.simulator.profile import (
    STALLS,
    Counters,
    Energy,
    HotInstruction,
    HotLoop,
    LayerProfile,
    OutputCheck,
    Profile,
    Published,
    RegionUse,
    Timing,
)

#: What a model file may call a tensor to harm whoever looks at a report.
HOSTILE = "=cmd|'/c x'!A1 <script>alert(1)</script> `a` @you http://x.y [l](z) \x1b[31m_\n| b"


def counters(instructions: int, issue: int, **stalls: int) -> Counters:
    return Counters(instructions, issue, {**dict.fromkeys(STALLS, 0), **stalls})


def small_profile(**changes: Any) -> Profile:
    """Two layers on a board of 10 MHz: 600 + 300 cycles and 100 between them."""
    layers = (
        LayerProfile(0, "a/conv", "CONV_2D", "conv_2d_s8", (1, 2, 2, 3), 96,
                     counters(450, 500, load=60, flash=40), "a/conv;a/bias"),
        LayerProfile(1, "b/dense", "FULLY_CONNECTED", "fully_connected_s8", (1, 4), 48,
                     counters(250, 250, branch=50), "b/dense"),
    )  # fmt: skip
    fields: dict[str, Any] = {
        "tinysim_version": "9.9",
        "model_name": "small.tflite",
        "model_sha256": "ab" * 32,
        "board": "toy",
        "board_title": "Toy board",
        "board_sha256": "cd" * 32,
        "core": "cortex_m4f",
        "core_sha256": "ef" * 32,
        "clock_hz": 10_000_000,
        "toolchain": Toolchain("gcc", "gcc 1.2", ("-O2",)),
        "timing": Timing("A", -0.2, 0.25, 3, "3 programs"),
        "layers": layers,
        "runtime": counters(90, 100),
        "startup": counters(10, 20),
        "regions": (
            RegionUse("flash", "flash", 0, 4096, 0, 2, {"weights": 512, "code": 256}),
            RegionUse("sram", "ram", 0x20000000, 1024, 0, 0, {"arena": 64, "stack": 96}),
        ),
        "arena_bytes": 64,
        "arena_lower_bound_bytes": 48,
        "stack_bytes": 96,
        "stack_written_bytes": 90,
        "arena_written_bytes": 64,
        "input_infos": (TensorInfo("x", (1, 16), "int8", 0, 0.5, 0),),
        "output_infos": (TensorInfo("y", (1, 4), "int8", 16, 0.5, 0),),
        "inputs": (np.zeros((1, 16), np.int8),),
        "outputs": (np.array([[1, 2, 3, 4]], np.int8),),
        "energy": Energy(8e-7, 1e-6, 2e-6, "run mode", "a paper"),
        "output_check": OutputCheck("exact", "numpy"),
        "removed": ("RESHAPE r: a view, costs nothing",),
        "tensors": (
            TensorPlacement("x", "input", (1, 16), "int8", 0, 16, -1, 0),
            TensorPlacement("a/conv", "activation", (1, 2, 2, 3), "int8", 16, 12, 0, 1),
            TensorPlacement("a/conv", "scratch", (20,), "uint8", 28, 20, 0, 0),
            TensorPlacement("y", "output", (1, 4), "int8", 0, 4, 1, 2),
        ),
        "paths": (
            (("invoke",), 100),
            (("invoke", "ts_layer_000"), 10),
            (("invoke", "ts_layer_000", "kernel"), 90),
            (("invoke", "ts_layer_000", "kernel", "inner"), 500),
            (("invoke", "ts_layer_001", "dense"), 300),
        ),
        "loops": (
            HotLoop("inner", 0x100, 0x104, (0,), 50, counters(400, 400),
                    (HotInstruction(0x100, "smlad r0, r1, r2, r0", counters(50, 50)),)),
        ),
        "published": (Published("another engine", 0.002, None, "a table"),),
    }  # fmt: skip
    return Profile(**{**fields, **changes})
