"""The arena of every planner beside CMSIS-NN's and TFLM's, for the models of a folder.

Run it as ``python benchmarks/planner.py FOLDER [NAME ...]``: bytes with the fastest kernels of a
Cortex-M4, the lower bound of the order of layers, the gap to it, and how far the arena is written
to in emulation.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import tinysim
from tinysim.boards import load_board
from tinysim.compiler.memory import plan_memory
from tinysim.compiler.passes import run_passes
from tinysim.compiler.readers import read_model
from tinysim.compiler.variants import select
from tinysim.simulator.cores import load_core

#: Arenas of CMSIS-NN called directly and of TFLM's interpreter, measured by their users.
PEERS = {
    "mlperf_kws_int8": (16_000, 22_820),
    "mlperf_vww_int8": (64_512, 100_708),
    "mlperf_ic_resnet_int8": (49_728, 54_996),
    "mlperf_ad_int8": (768, 2_580),
    "mcunet_vww_int8": (None, 224_976),
    "tflm_person_detect_int8": (None, 85_264),
    "nxp_yolo_face_detect": (None, None),
    "mww_v2_okay_nabu_int8": (None, None),
    "mlperf_sww_int8": (None, None),
    "tflm_keyword_scrambled_svdf_s8": (None, None),
}
BOARD = "generic_m4"
PLANNERS = ("first-fit", "greedy", "search", "exact")


def main() -> None:
    """Print a line a model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=list(PEERS))
    arguments = parser.parse_args()
    heads = ("model", *PLANNERS, "bound", "gap", "written", "CMSIS-NN", "TFLM", "exact s")
    print("| " + " | ".join(heads) + " |")
    print("| --- |" + " ---: |" * (len(heads) - 1))
    target = load_core(load_board(BOARD).core).target
    for name in arguments.names:
        path = arguments.folder / f"{name}.tflite"
        graph = run_passes(read_model(path))
        portable = [node.op.lower(node.inputs, node.outputs) for node in graph.nodes]
        calls = select(portable, target, "speed", "never", {})
        plans, start = {}, 0.0
        for planner in PLANNERS:
            start = time.perf_counter()
            plans[planner] = plan_memory(graph, calls, planner)
        taken_s = time.perf_counter() - start
        best = plans["exact"]
        written = tinysim.run(path, BOARD).arena_written_bytes
        gap = best.arena_bytes - best.lower_bound_bytes
        peers = ("-" if size is None else f"{size:,}" for size in PEERS.get(name, (None, None)))
        sizes = (f"{plans[planner].arena_bytes:,}" for planner in PLANNERS)
        cells = (name, *sizes, f"{best.lower_bound_bytes:,}", f"{gap:,}", f"{written:,}", *peers)
        print("| " + " | ".join((*cells, f"{taken_s:.1f}")) + " |", flush=True)


if __name__ == "__main__":
    main()
