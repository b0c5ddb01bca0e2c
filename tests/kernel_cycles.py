"""Goldens of what generated code costs: ``python -m tests.kernel_cycles --write`` makes them anew.

``kernel_cycles.toml`` holds cycles, code and arena of models on cores without wait states, by
``--optimize``. They are equal from run to run and from host to host, with one version of the cross
compiler.
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any

import tinysim
from tests.conftest import DEMO_MODEL, SHARED
from tinysim.compiler.toolchain import OPTIMIZE_FLAGS

GOLDEN = Path(__file__).with_suffix(".toml")
#: The cross compiler that the goldens were made with, as its version line names it.
COMPILER = "12.2.1 20221205"
BOARDS = ("generic_m0plus", "generic_m4", "generic_m7", "generic_m33")
SHARED_MODELS = (
    "mlperf_kws_int8",
    "mlperf_vww_int8",
    "mlperf_ic_resnet_int8",
    "mlperf_ad_int8",
    "mlperf_sww_int8",
)
HOW = f"""# Cycles of one inference without wait states; bytes of flash besides weights, of arena.
# Made with arm-none-eabi-gcc {COMPILER} by: python -m tests.kernel_cycles --write
"""

Costs = dict[str, int]
Goldens = dict[str, dict[str, dict[str, Costs]]]


def path_of(model: str) -> Path:
    """Return a model's file; the demo model is part of the tree, others may not be there."""
    is_own = model == DEMO_MODEL.stem
    return DEMO_MODEL if is_own else SHARED / "models" / f"{model}.tflite"


def measure(model: str, board: str) -> dict[str, Costs]:
    """Compile and run a model by every choice."""
    found = {}
    for optimize in OPTIMIZE_FLAGS:
        profile = tinysim.run(path_of(model), board, optimize=optimize)
        assert profile.output_check.status == "exact"
        code_bytes = profile.used_bytes("flash") - profile.used_bytes("flash", "weights")
        found[optimize] = {
            "cycles": profile.cycles,
            "code_bytes": code_bytes,
            "arena_bytes": profile.arena_bytes,
        }
    return found


def goldens() -> Goldens:
    """Read what is expected: model -> board -> optimize -> costs."""
    data: dict[str, Any] = tomllib.loads(GOLDEN.read_text(encoding="utf-8"))
    return data


def as_text(held: Goldens) -> str:
    """Write goldens as TOML, a line a choice."""
    lines = [HOW]
    for model, by_board in held.items():
        for board, by_choice in by_board.items():
            lines.append(f"[{model}.{board}]\n")
            for optimize, costs in by_choice.items():
                cells = ", ".join(f"{name} = {value}" for name, value in costs.items())
                lines.append(f"{optimize} = {{ {cells} }}\n")
            lines.append("\n")
    return "".join(lines).rstrip("\n") + "\n"


def main() -> None:
    """Measure all models that are there; print the lines that differ, or write them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep what was measured")
    write = parser.parse_args().write
    old, new = goldens() if GOLDEN.exists() else {}, {}
    for model in (DEMO_MODEL.stem, *SHARED_MODELS):
        if not path_of(model).exists():
            print(f"{model} is not here: what is held of it stays")
            new[model] = old.get(model, {})
            continue
        new[model] = {board: measure(model, board) for board in BOARDS}
        for board, by_choice in new[model].items():
            for optimize, costs in by_choice.items():
                before = old.get(model, {}).get(board, {}).get(optimize)
                if before != costs:
                    print(f"{model} {board} {optimize}: {before} -> {costs}", flush=True)
    if write:
        GOLDEN.write_text(as_text(new), encoding="utf-8")


if __name__ == "__main__":
    main()
