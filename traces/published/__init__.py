"""What others have published: the same model, known by its hash, on the same board.

One TOML file a suite of benchmarks: the folder is the registry. A file says which model files its
workloads are (``[model.SHA256]``), and what each ``[[system]]``, a board with software on it, took
for them. A figure that is not complete, or has no source, does not load.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.resources import files
from typing import Any

from tinysim.boards import Board
from tinysim.errors import MeasurementError
from tinysim.simulator.profile import Published

_HERE = files("tinysim.traces.published")


@dataclass(frozen=True)
class KnownModel:
    """A model file that a workload is measured with."""

    sha256: str
    workload: str
    precision: str
    source: str


@dataclass(frozen=True)
class System:
    """A board with somebody's software on it, and what that took for each workload.

    ``condition`` is what the submitter says of supply and set-up. Not every workload has energy.
    """

    board: str
    round: str
    submitter: str
    stack: str
    precision: str
    clock_hz: int
    source: str
    latency_s: dict[str, float]
    energy_j: dict[str, float]
    condition: str


@dataclass(frozen=True)
class Suite:
    """All that was published with one suite."""

    name: str
    models: tuple[KnownModel, ...]
    systems: tuple[System, ...]


def published_on(board: Board, model_sha256: str) -> tuple[Published, ...]:
    """Return what was published for a model on a board, the fastest first.

    A clock that is not the board's is named beside the software.
    """
    found = [
        Published(
            stack=_stack(suite, system, board),
            latency_s=system.latency_s[model.workload],
            energy_j=system.energy_j.get(model.workload),
            source="; ".join(filter(None, (system.source, system.submitter, system.condition))),
        )
        for suite in suites()
        for model in suite.models
        for system in suite.systems
        if model.sha256 == model_sha256
        and (system.board, system.precision) == (board.name, model.precision)
        and model.workload in system.latency_s
    ]
    return tuple(sorted(found, key=lambda one: (one.latency_s, one.source)))


def _stack(suite: Suite, system: System, board: Board) -> str:
    clock = "" if system.clock_hz == board.clock.hz else f" at {system.clock_hz / 1e6:g} MHz"
    return f"{system.stack}{clock}; {suite.name} {system.round}"


@lru_cache
def suites() -> tuple[Suite, ...]:
    """Read every file of the folder."""
    names = sorted(path.name for path in _HERE.iterdir() if path.name.endswith(".toml"))
    return tuple(
        parse_suite((_HERE / name).read_text(encoding="utf-8"), f"traces/published/{name}")
        for name in names
    )


def parse_suite(text: str, where: str) -> Suite:
    """Read a suite.

    Raises
    ------
    MeasurementError
        With everything that is missing, unknown or impossible.
    """
    try:
        table = tomllib.loads(text)
        name, models, systems = table["suite"], table["model"], table["system"]
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise MeasurementError(str(error), where=where, fix="mend the file") from error
    problems: list[str] = []
    rows = [{"energy_j": {}, "condition": "", **row} for row in systems]
    suite = Suite(
        name,
        tuple(_rows(KnownModel, [{"sha256": key, **row} for key, row in models.items()], problems)),
        tuple(_rows(System, rows, problems)),
    )
    known = {model.workload for model in suite.models}
    for system in suite.systems:
        problems += [f"{system.source}: {wrong}" for wrong in _impossible(system, known)]
    if problems:
        raise MeasurementError("; ".join(problems), where=where, fix="complete the row")
    return suite


def _rows(kind: type[Any], rows: list[dict[str, Any]], problems: list[str]) -> list[Any]:
    """Build rows of a kind; what is missing, unknown or empty goes to ``problems``."""
    names = [field.name for field in fields(kind)]
    built = []
    for row in rows:
        where = row.get("source", f"a {kind.__name__} without source")
        empty = [key for key, value in row.items() if value == "" and key != "condition"]
        wrong = [f"missing {key!r}" for key in names if key not in row or key in empty]
        wrong += [f"unknown key {key!r}" for key in row if key not in names]
        problems += [f"{where}: {one}" for one in wrong]
        built += [] if wrong else [kind(**row)]
    return built


def _impossible(system: System, known: set[str]) -> list[str]:
    """Return what cannot be true of a system."""
    found = [f"{one!r} is no workload" for one in sorted(system.latency_s.keys() - known)]
    found += [
        f"energy of {one!r} without latency"
        for one in sorted(system.energy_j.keys() - system.latency_s.keys())
    ]
    values = (system.clock_hz, *system.latency_s.values(), *system.energy_j.values())
    if not system.latency_s or min(values) <= 0:
        found.append("needs positive figures")
    return found
