"""Which board: a model on all of them, and the reason for each "no"."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tinysim import __version__, api
from tinysim.boards import Board, board_names, load_board
from tinysim.budget import FAILS, MAY_FAIL, PASSES, UNKNOWN, VERDICTS
from tinysim.compiler.toolchain import compiler_version
from tinysim.errors import SimulationError, ToolchainError
from tinysim.ranking.duty import Band, Duty, average_w, battery_life_s
from tinysim.simulator.profile import Profile

#: Boards that no shop sells: cores to compare with, without memory that waits.
YARDSTICK = "generic_"
#: Characters of an error that are kept as a reason.
MOST_CHARACTERS = 200
#: What boards can be sorted by.
SORTS = ("latency", "energy", "ram", "flash", "battery")


@dataclass(frozen=True)
class Wish:
    """What the user wants: a limit of latency, a duty cycle, and the order of what can do it."""

    latency_s: float | None = None
    duty: Duty | None = None
    sort: str = "latency"


@dataclass(frozen=True)
class Candidate:
    """A board, and what became of the model on it.

    ``verdict`` is one of ``budget.VERDICTS``; ``reasons`` say why it does not pass, ``unknowns``
    what could not be told. What is not known is None. ``asleep`` says whose power the sleeping part
    of ``average_w`` is.
    """

    board: str
    title: str
    core: str
    clock_hz: int
    verdict: str
    reasons: tuple[str, ...]
    unknowns: tuple[str, ...] = ()
    fits: bool | None = None
    grade: str | None = None
    latency_s: Band | None = None
    energy_j: Band | None = None
    average_w: Band | None = None
    battery_life_s: Band | None = None
    asleep: str | None = None
    ram_bytes: int | None = None
    flash_bytes: int | None = None


@dataclass(frozen=True)
class Ranking:
    """All candidates, the best first."""

    tinysim_version: str
    model_name: str
    wish: Wish
    candidates: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate | None:
        """The first board that passes, or may fail if none passes."""
        found = (one for one in self.candidates if one.verdict in (PASSES, MAY_FAIL))
        return next(found, None)


def real_boards() -> tuple[str, ...]:
    """Return the names of all boards but the yardsticks."""
    return tuple(name for name in board_names() if not name.startswith(YARDSTICK))


def rank(
    model: str | Path,
    boards: Sequence[str] | None = None,
    wish: Wish | None = None,
    *,
    jobs: int = 1,
    optimize: str = "speed",
) -> Ranking:
    """Run a model on boards and sort them by how well they do what is wanted.

    Parameters
    ----------
    model
        Path of a model file.
    boards
        Names of boards; all but the yardsticks if not given.
    wish
        What the board must do, and what to sort by.
    jobs
        Processes that share the work.
    optimize
        As for ``tinysim.run``.

    Raises
    ------
    TinysimError
        If the model cannot be compiled at all. What fails on one board only is its reason.
    """
    wish = wish or Wish()
    names = real_boards() if boards is None else tuple(dict.fromkeys(boards))
    for name in names:
        load_board(name)
    compiler_version()  # that there is none is no board's fault
    measure = partial(_measure, str(model), wish=wish, optimize=optimize)
    if jobs == 1:
        found = [measure(name) for name in names]
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(jobs, len(names)), mp_context=context) as pool:
            found = list(pool.map(measure, names))
    return Ranking(__version__, Path(model).name, wish, ordered(found, wish.sort))


def ordered(candidates: Sequence[Candidate], sort: str) -> tuple[Candidate, ...]:
    """Sort by verdict, then by what is wanted; what is not known comes last."""
    return tuple(sorted(candidates, key=lambda one: (*_key(one, sort), one.board)))


def _measure(model: str, name: str, *, wish: Wish, optimize: str) -> Candidate:
    """Run the model on one board and judge it."""
    board = load_board(name)
    try:
        return judge(api.run(model, board, optimize=optimize), board, wish)
    except (SimulationError, ToolchainError) as error:
        why = (f"could not be run: {' '.join(error.what.split())[:MOST_CHARACTERS]}",)
        return Candidate(board.name, board.title, board.core, board.clock.hz, UNKNOWN, why)


def judge(profile: Profile, board: Board, wish: Wish) -> Candidate:
    """Compare what a model costs on a board with what is wanted."""
    energy = profile.energy
    fastest, slowest = profile.latency_band_s
    latency = Band(fastest, profile.latency_s, slowest)
    broken = [f"{region.name} over by {region.overflow_bytes:,} B" for region in profile.overflows]
    broken += [why for limit_s, why in _limits(wish) if profile.latency_s > limit_s]
    doubtful = [
        f"perhaps {why}" for limit_s, why in _limits(wish) if latency.typical <= limit_s < slowest
    ]
    average, life, unknowns = _power(profile, board, wish.duty)
    return Candidate(
        board=board.name,
        title=board.title,
        core=board.core,
        clock_hz=board.clock.hz,
        verdict=FAILS if broken else MAY_FAIL if doubtful else PASSES,
        reasons=(*broken, *doubtful),
        unknowns=unknowns,
        fits=profile.fits,
        grade=profile.timing.grade,
        latency_s=latency,
        energy_j=None if energy is None else Band(energy.low_j, energy.typical_j, energy.high_j),
        average_w=average,
        battery_life_s=life,
        asleep=None if average is None else _asleep(board, wish.duty),
        ram_bytes=profile.used_bytes("ram"),
        flash_bytes=profile.used_bytes("flash"),
    )


def _limits(wish: Wish) -> Iterator[tuple[float, str]]:
    """Return how long an inference may take, and what to say if it takes longer."""
    if wish.latency_s is not None:
        yield wish.latency_s, f"slower than {wish.latency_s * 1e3:g} ms"
    if wish.duty is not None:
        yield wish.duty.period_s, f"slower than a period of {wish.duty.period_s * 1e3:g} ms"


def _power(
    profile: Profile, board: Board, duty: Duty | None
) -> tuple[Band | None, Band | None, tuple[str, ...]]:
    """Return average power and battery life, and why they, or the energy, are not known."""
    if profile.energy is None:
        return None, None, ("no measured power",)
    if duty is None:
        return None, None, ()
    sleep_w = duty.sleep_w
    if sleep_w is None:
        if board.sleep is None:
            return None, None, ("no known current asleep",)
        sleep_w = board.sleep.power_w
    average = average_w(duty, profile.latency_s, profile.energy, sleep_w)
    battery_j = duty.battery_j
    return average, None if battery_j is None else battery_life_s(battery_j, average), ()


def _asleep(board: Board, duty: Duty | None) -> str:
    """Say whose power the sleeping part of an average is."""
    if duty is not None and duty.sleep_w is not None:
        return "as given"
    return "unknown" if board.sleep is None else board.sleep.covers


def _key(one: Candidate, sort: str) -> tuple[int, float]:
    life = one.battery_life_s
    values = {
        "latency": None if one.latency_s is None else one.latency_s.typical,
        "energy": None if one.energy_j is None else one.energy_j.typical,
        "ram": one.ram_bytes,
        "flash": one.flash_bytes,
        "battery": None if life is None else -life.typical,
    }
    value = values[sort]
    return VERDICTS.index(one.verdict), math.inf if value is None else value
