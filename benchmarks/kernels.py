"""What generated code costs, beside goals, peers and floors: tables in Markdown.

Run it as ``python benchmarks/kernels.py FOLDER``, where FOLDER holds the five int8 models of MLPerf
Tiny and, for ``--only floats``, float models. ``--write docs/kernels.md`` puts the tables into the
document, between its marks. The same tree gives the same bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from unittest.mock import patch

import peers
from floors import floor_cycles

import tinysim
from tinysim.boards import load_board
from tinysim.compiler.passes import run_passes
from tinysim.compiler.readers import read_model
from tinysim.compiler.toolchain import OPTIMIZE_FLAGS
from tinysim.compiler.variants import Variant
from tinysim.simulator.cores import core_names, load_core
from tinysim.simulator.profile import Counters, Profile

CORES = ("generic_m4", "generic_m0plus")
FLOAT_BOARDS = ("generic_m4", "generic_m7", "generic_m33")
FILES = {title: name for name, title in peers.MODELS.items()}
Rows = Iterator[str]


def main() -> None:
    """Print the tables, or write them into a document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=TABLES, action="append", help="these tables; repeatable")
    parser.add_argument("--write", type=Path, help="document to put the tables into")
    arguments = parser.parse_args()
    text = ""
    for name in arguments.only or [name for name in TABLES if name != "floats"]:
        for line in TABLES[name](arguments.folder):
            text += line + "\n"
            if arguments.write is None:
                print(line, flush=True)
    if arguments.write is not None:
        _put(arguments.write, text)


def kernels(folder: Path) -> Rows:
    """Yield the tuned kernels, what they take the place of, and the cores that run them."""
    targets = {name: load_core(name).target for name in core_names()}
    yield from _head("Tuned kernels", "kernel", "in place of", "cores", "takes")
    for portable, variants in sorted(Variant._registry.items()):
        for variant in variants:
            name = type(variant).__module__.rpartition(".")[2]
            fit = ", ".join(core for core, target in targets.items() if variant.runs_on(target))
            does = (type(variant).__doc__ or "").splitlines()[0].rstrip(".")
            yield _row(f"`{name}`", f"`{portable}`", fit, does)
    yield ""


def totals(folder: Path) -> Rows:
    """Yield cycles and code of whole models beside goals and peers."""
    for board in CORES:
        goals, theirs = peers.GOAL_MCYCLES[board], peers.CMSIS_NN_MCYCLES[board]
        yield from _head(
            f"Millions of cycles, {board}, `--optimize speed`",
            *("model", "ours", "goal", "met", "floor", "CMSIS-NN", "CMSIS-NN / ours"),
            *(("best published", "published / ours") if board == "generic_m4" else ()),
        )
        for title in (*FILES, peers.ALL_CHANNELS):
            profile = _run(folder, title, board)
            ours, goal = profile.cycles / 1e6, goals.get(title)
            cells = [title, f"{ours:.3f}", _or_dash(goal, ".4g"), _is_met(ours, goal)]
            floors = [cycles for cycles in _floors(folder, title, board) if cycles is not None]
            cells += [f"{sum(floors) / 1e6:.3f}", f"{theirs[title]:.2f}"]
            cells.append(f"{theirs[title] / ours:.2f}")
            if board == "generic_m4":
                best = peers.PUBLISHED[peers.M4_BOARD].get(title)
                published = None if best is None else best.milliseconds * peers.M4_BOARD_HZ / 1e9
                cells += [_or_dash(published, ".2f"), _or_dash(published and published / ours)]
            yield _row(*cells)
        yield ""
    yield from _head(
        "Flash besides weights, generic_m4, `--optimize balanced`",
        *("model", "ours, B", "goal, KB", "met", "CMSIS-NN, B", "CMSIS-NN / ours"),
    )
    for title in FILES:
        code, goal_kb = _code(_run(folder, title, "generic_m4", "balanced")), peers.GOAL_CODE_KB
        theirs_b = peers.CMSIS_NN_CODE_BYTES[title]
        cells = [title, f"{code:,}", str(goal_kb[title]), _is_met(code, goal_kb[title] * 1000)]
        yield _row(*cells, f"{theirs_b:,}", f"{theirs_b / code:.2f}")
    yield ""


def layers(folder: Path) -> Rows:
    """Yield every layer of every model beside its floor."""
    heads = ("#", "operator", "kernel", "output", "MACs", "instr/MAC", "cyc/MAC", "cycles")
    for board in CORES:
        for title in FILES:
            profile, floors = _run(folder, title, board), _floors(folder, title, board)
            yield from _head(f"{title} on {board}", *heads, "floor", "gap")
            known = 0
            for layer, floor in zip(profile.layers, floors, strict=True):
                known += 0 if floor is None else layer.counters.cycles
                shape = "x".join(map(str, layer.output_shape[1:]))
                yield _row(
                    *(str(layer.index), layer.op, f"`{layer.kernel}`", shape),
                    f"{layer.macs:,}" if layer.macs else "-",
                    *(_per(count, layer.macs) for count in _counts(layer.counters)),
                    f"{layer.counters.cycles:,}",
                    *_gap(layer.counters.cycles, floor),
                )
            total = sum(floor for floor in floors if floor is not None)
            per_mac = (_per(count, profile.macs) for count in _counts(profile.total))
            cells = ("", "total", "", "", f"{profile.macs:,}", *per_mac, f"{profile.cycles:,}")
            yield _row(*cells, f"{total:,.0f}", _gap(known, total)[1])
            yield ""


def boards(folder: Path) -> Rows:
    """Yield the latency on real boards beside the best that was published for them."""
    heads = ("board", "model", "ours, ms", "best published, ms", "published / ours", "whose")
    yield from _head("Latency on boards, simulated, `--optimize speed`", *heads)
    for board in peers.PUBLISHED:
        for title in FILES:
            ours = _run(folder, title, board).latency_s * 1e3
            best = peers.PUBLISHED[board].get(title)
            cells = ("-", "-", "") if best is None else (
                f"{best.milliseconds:,.3f}", f"{best.milliseconds / ours:.2f}", best.stack
            )  # fmt: skip
            yield _row(board, title, f"{ours:,.3f}", *cells)
    yield ""


def optimize(folder: Path) -> Rows:
    """Yield what ``--optimize`` trades for what."""
    heads = ("model", "optimize", "cycles", "code, B", "weights and tables, B", "arena, B")
    for board in CORES:
        yield from _head(f"`--optimize` on {board}", *heads, "stack, B")
        for title in FILES:
            for choice in OPTIMIZE_FLAGS:
                profile = _run(folder, title, board, choice)
                weights = profile.used_bytes("flash", "weights")
                sizes = (_code(profile), weights, profile.arena_bytes, profile.stack_bytes)
                cells = (title, choice, f"{profile.cycles:,}", *(f"{size:,}" for size in sizes))
                yield _row(*cells)
        yield ""


def floats(folder: Path) -> Rows:
    """Yield float models by tuned kernels beside the portable ones at -O3."""
    heads = ("model", "ours, cycles", "portable -O3, cycles", "portable / ours", "ours, code B")
    for board in FLOAT_BOARDS:
        yield from _head(f"Float models on {board}", *heads, "portable -O3, code B")
        for name in peers.FLOAT_MODELS:
            path = folder / f"{name}.tflite"
            ours = tinysim.run(path, board)
            with (
                patch.dict(Variant._registry, clear=True),
                patch.dict(OPTIMIZE_FLAGS, {"speed": "-O3"}),
            ):
                portable = tinysim.run(path, board)
            ratio = f"{portable.cycles / ours.cycles:.2f}"
            cells = (name, f"{ours.cycles:,}", f"{portable.cycles:,}", ratio)
            yield _row(*cells, f"{_code(ours):,}", f"{_code(portable):,}")
        yield ""


TABLES = {
    "kernels": kernels,
    "totals": totals,
    "layers": layers,
    "boards": boards,
    "optimize": optimize,
    "floats": floats,
}


@cache
def _run(folder: Path, title: str, board: str, optimize: str = "speed") -> Profile:
    """Compile and run a model once, however many tables show it."""
    path, keeps = _source(folder, title)
    return tinysim.run(path, board, optimize=optimize, keeps_constant_channels=keeps)


def _floors(folder: Path, title: str, board: str) -> list[float | None]:
    """Return every layer's floor on a board's core."""
    path, keeps = _source(folder, title)
    target = load_core(load_board(board).core).target
    graph = run_passes(read_model(path), keeps)
    return [floor_cycles(node, target.has_dsp) for node in graph.nodes]


def _source(folder: Path, title: str) -> tuple[Path, bool]:
    """Return a model's file, and whether its constant channels are computed."""
    keeps = title == peers.ALL_CHANNELS
    return folder / f"{FILES['VWW' if keeps else title]}.tflite", keeps


def _code(profile: Profile) -> int:
    """Return everything in flash that is not weights or tables: code, runtime, vectors."""
    return profile.used_bytes("flash") - profile.used_bytes("flash", "weights")


def _counts(counters: Counters) -> tuple[int, int]:
    return counters.instructions, counters.cycles


def _per(count: int, macs: int) -> str:
    return f"{count / macs:.2f}" if macs else "-"


def _gap(cycles: int, floor: float | None) -> tuple[str, str]:
    return ("-", "-") if floor is None else (f"{floor:,.0f}", f"{cycles / floor - 1:+.0%}")


def _is_met(value: float, goal: float | None) -> str:
    return "" if goal is None else "yes" if value <= goal else "no"


def _or_dash(value: float | None, form: str = ".2f") -> str:
    return "-" if value is None else format(value, form)


def _head(title: str, *heads: str) -> Rows:
    yield from (f"### {title}", "", _row(*heads), "| --- |" + " ---: |" * (len(heads) - 1))


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _put(document: Path, text: str) -> None:
    """Replace what stands between the marks of a document."""
    begin, end = "<!-- tables: benchmarks/kernels.py -->\n", "<!-- end of tables -->\n"
    before, rest = document.read_text(encoding="utf-8").split(begin)
    _, after = rest.split(end)
    document.write_text(before + begin + "\n" + text + end + after, encoding="utf-8")


if __name__ == "__main__":
    main()
