"""``docs/accuracy.md``: every comparison, and what the errors are like by board and by core."""

from __future__ import annotations

from collections import defaultdict

from tinysim.boards import load_board
from tinysim.simulator.cores import load_core
from tinysim.traces import Measurement, load_trace, measured_boards
from tinysim.traces.accuracy import MARGIN, Statistics, statistics

_INTRODUCTION = f"""# Simulated against measured

Written by `tinysim accuracy --markdown` from the files in `traces/`; do not edit.

Each row is a program that somebody measured on a real board, and the cycles of the same program
here. *Exact image* means that the very bytes were simulated, with no compiler of ours in
between. The error is (simulated - measured) / measured. What a run prints as its error band is
the range found on its board (grade A), or on its core (grade B), and {MARGIN * 100:.0f} % on either
side: the next program is another one.

Cost tables come from manuals and microbenchmarks, and so do the memory systems, but for some
figures that were chosen with the measured programs in view, each because it helps all programs
of a board or of a core: that data shares the flash's two line buffers on the STM32G0, the 3
cycles more that a missing cache line takes on the STM32U5, the 2 cycles fewer on the Cortex-M7,
the cycle for the first of several accesses to the STM32F407's second bank (the STM32L4R5's
third one is taken to be like it), and on the Cortex-M4 the cycle more of a compare-and-branch
and of a 32-bit branch that is not taken.

The rows with X-CUBE-AI 9 and HALE 1.0.17 were run when everything else had been settled: no
figure was chosen with them in view, so they say what to expect of other programs. What they
show is not understood yet: flash that delivers 128 bits at a time (an option of the STM32L4R5)
would explain one of them.

Programs themselves are not in this repository, only their numbers; `tinysim accuracy --images
DIR` simulates those again whose files are in a folder.
"""


def markdown() -> str:
    """Return the document."""
    rows = [row for board in measured_boards() for row in load_trace(board).measurements]
    return "\n".join(
        [_INTRODUCTION, *_comparisons(rows), "", *_summary(rows), "", *_sources(rows), ""]
    )


def _comparisons(rows: list[Measurement]) -> list[str]:
    lines = [
        "| board (core) | memory | program | toolchain | measured cycles | simulated | error |",
        "| --- | --- | --- | --- | ---: | ---: | ---: |",
    ]
    last = None
    for row in rows:
        board = load_board(row.board)
        name = f"{board.title} ({load_core(board.core).title}, {row.clock_hz / 1e6:g} MHz)"
        place = (name, row.flash) if (row.board, row.flash) != last else ("", "")
        last = (row.board, row.flash)
        lines.append(
            f"| {place[0]} | {place[1]} | {row.workload} | {_toolchain(row)} "
            f"| {row.measured_cycles:,} | {row.simulated_cycles:,} | {row.error:+.1%} |"
        )
    return lines


def _toolchain(row: Measurement) -> str:
    return f"{row.toolchain} (measured with another)" if row.is_rebuilt else row.toolchain


def _summary(rows: list[Measurement]) -> list[str]:
    groups: defaultdict[str, list[Measurement]] = defaultdict(list)
    for row in rows:
        board = load_board(row.board)
        kind = ", rebuilt with another compiler" if row.is_rebuilt else ""
        groups[board.title + kind].append(row)
        if not row.is_rebuilt:
            groups[f"every board with a {load_core(board.core).title}"].append(row)
    groups["all, but for those rebuilt with another compiler"] = [
        row for row in rows if not row.is_rebuilt
    ]
    lines = [
        "| group | programs | mean error | worst | geometric mean of simulated / measured |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    return lines + [_line(name, statistics(members)) for name, members in groups.items()]


def _line(name: str, found: Statistics) -> str:
    return (
        f"| {name} | {found.count} | {found.mean_absolute:.1%} | {found.worst:+.1%} "
        f"| {found.geometric_mean:.3f} |"
    )


def _sources(rows: list[Measurement]) -> list[str]:
    """Return a list of sources, as far as the first words of each differ."""
    named = sorted({row.source.split(":")[0] for row in rows})
    return ["Sources, row by row in `traces/`:", "", *(f"- {name}" for name in named)]
