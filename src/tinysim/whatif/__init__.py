"""What if: how much a model's latency, energy and memory on a board hang on each single thing.

Each variation differs from today in one thing. What changes the time of memory alone runs the very
firmware of today; what changes code is compiled again; what comes out as the same bytes on memory
that takes the same time is not run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinysim import __version__
from tinysim.boards import Board, load_board
from tinysim.compiler import Choices
from tinysim.compiler.readers import read_model
from tinysim.errors import InternalError, SimulationError, ToolchainError
from tinysim.simulator.energy import energy_of
from tinysim.whatif import variations
from tinysim.whatif.bench import Bench, Run
from tinysim.whatif.variations import Variation

#: What variations are about.
GROUPS = ("clock", "memory", "placement", "compiler", "core")
#: Characters of an error that are kept as a note.
MOST_CHARACTERS = 200
_IN_RAM = (
    "code in RAM: fetches and data that wait for each other are not counted; weights and code in "
    "RAM take as much flash as before, from which they are copied"
)
_CLOCK = (
    "another clock: flash is taken to be as fast in nanoseconds as it is; whether the chip reaches "
    "the clock, and its power there, are not known"
)
_NO_CLOCK = "another clock: how the memory behind the cache would follow it is not known"
_CORE = "another core: its timing and its code behind this board's memory; its power is not known"


@dataclass(frozen=True)
class Outcome:
    """What a model costs if one thing is otherwise; ``energy_j`` is None where nobody knows."""

    group: str
    what: str
    cycles: int
    latency_s: float
    energy_j: float | None
    ram_bytes: int
    flash_bytes: int
    fits: bool


@dataclass(frozen=True)
class WhatIf:
    """Today's costs and those of every variation, what matters most first.

    ``alike`` are variations that change nothing, ``notes`` what could not be told, and why.
    ``compilations`` and ``simulations`` say how much work it was.
    """

    tinysim_version: str
    model_name: str
    model_sha256: str
    board: str
    board_title: str
    today: Outcome
    outcomes: tuple[Outcome, ...]
    alike: tuple[str, ...]
    notes: tuple[str, ...]
    compilations: int
    simulations: int


def what_if(
    model: str | Path,
    board: str | Board,
    choices: Choices | None = None,
    groups: Sequence[str] = GROUPS,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> WhatIf:
    """Vary one thing at a time and say what it does to a model on a board.

    Parameters
    ----------
    model
        Path of a model file.
    board
        Name of a board, or a board of your own.
    choices
        How the model is compiled today.
    groups
        What is varied, of ``GROUPS``.
    on_stage
        Called with the name of each variation before it is tried.

    Raises
    ------
    TinysimError
        If the model cannot be run as it is today. What fails for a variation, or computes something
        else, becomes a note.
    """
    here = load_board(board) if isinstance(board, str) else board
    path, choices = Path(model), choices or Choices()
    graph = read_model(path)
    on_stage("as it is")
    bench = Bench(graph, path.name, here, choices)
    today = _outcome(Variation("today", "as it is", here, choices), bench.today)
    outcomes, alike, notes = [], [], []
    for one in _variations(bench, here, choices, groups):
        on_stage(one.what)
        run = _attempt(bench, one)
        if isinstance(run, str):
            notes.append(f"{one.what}: {run}")
        elif run == bench.today and one.group != "clock":
            alike.append(one.what)
        else:
            outcomes.append(_outcome(one, run))
    return WhatIf(
        tinysim_version=__version__,
        model_name=path.name,
        model_sha256=graph.sha256,
        board=here.name,
        board_title=here.title,
        today=today,
        outcomes=tuple(sorted(outcomes, key=lambda one: (-effect(one, today), one.what))),
        alike=tuple(alike),
        notes=(*notes, *_caveats(here, outcomes, groups)),
        compilations=bench.compilations,
        simulations=bench.simulations,
    )


def effect(one: Outcome, today: Outcome) -> float:
    """Return by how many times latency grows or shrinks, whichever it does."""
    return max(one.latency_s / today.latency_s, today.latency_s / one.latency_s)


def _variations(
    bench: Bench, board: Board, choices: Choices, groups: Sequence[str]
) -> Iterator[Variation]:
    """Return what is varied, group by group."""
    for one in (
        *variations.clocks(board, choices),
        *variations.wait_states(board, choices),
        *variations.caches(board, choices),
        *variations.placements(board, choices),
        *variations.compilations(board, choices, bench.portable(choices)),
        *variations.cores(board, choices),
    ):
        if one.group in groups:
            yield one


def _attempt(bench: Bench, variation: Variation) -> Run | str:
    """Return what a variation costs, or why that is not known."""
    if (lack := bench.lack(variation)) is not None:
        return lack
    try:
        return bench.run(variation)
    except (InternalError, SimulationError, ToolchainError) as error:
        return " ".join(error.what.split())[:MOST_CHARACTERS]


def _outcome(variation: Variation, run: Run) -> Outcome:
    board = variation.board
    latency_s = run.cycles / board.clock.hz
    energy = energy_of(latency_s, board.power) if variation.is_same_power else None
    return Outcome(
        group=variation.group,
        what=variation.what,
        cycles=run.cycles,
        latency_s=latency_s,
        energy_j=None if energy is None else energy.typical_j,
        ram_bytes=run.ram_bytes,
        flash_bytes=run.flash_bytes,
        fits=run.fits,
    )


def _caveats(board: Board, outcomes: Sequence[Outcome], groups: Sequence[str]) -> Iterator[str]:
    """Say what the numbers do not show."""
    found = {one.group for one in outcomes}
    if "clock" in groups:
        yield _CLOCK if "clock" in found else _NO_CLOCK
    if any(one.what.startswith("code") for one in outcomes):
        yield _IN_RAM
    if "core" in found:
        yield _CORE
    if board.power is None:
        yield "energy: nobody has measured this board's power"
