"""A table of budgets -> limits, with everything that is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tinysim.budget import METRICS, Limit, Source
from tinysim.budget._lines import Path
from tinysim.budget.units import is_share, read, read_unit

#: What single layers may be limited in.
LAYER_METRICS = ("latency", "cycles", "energy")
#: What may be kept from growing.
GROWING = tuple(name for name, unit in METRICS.items() if unit != "share" and name != "fits")

#: What a limit is of: of two that are of the same, the later one holds.
Key = tuple[str, str | None, str | None]


class Problems:
    """Everything that is wrong with a file, by line."""

    def __init__(self, source: Callable[[Path], Source]) -> None:
        self.source = source
        self.found: list[tuple[int, str]] = []

    def add(self, path: Path, what: str) -> None:
        """Note what is wrong with the value at ``path``."""
        text = f"{spell(path)}{what}"
        printable = "".join(char if char.isprintable() else "?" for char in text)
        self.found.append((self.source(path).line, printable))

    def unknown(self, path: Path, known: Iterable[str]) -> None:
        """Note a key that means nothing, and which one may be meant."""
        self.add(path, f"unknown, {near(str(path[-1]), known)}")

    def table(self, written: object, path: Path) -> dict[str, Any]:
        """Return a table, or an empty one in place of what is none."""
        if isinstance(written, dict):
            return written
        self.add(path, f"{written!r} is no table")
        return {}


def near(name: str, known: Iterable[str]) -> str:
    """Return a hint at what may be meant, or at all that there is."""
    known = list(known)
    found = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    return f"did you mean {' or '.join(found)}?" if found else f"known: {', '.join(known)}"


def spell(path: Path) -> str:
    """Write a path to be read: ``model[1].budget.latency: ``."""
    parts = [f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).removeprefix(".") + ": " if path else ""


def read_limits(written: object, path: Path, problems: Problems) -> dict[Key, Limit]:
    """Read ``[budget]``, ``[board.NAME.budget]`` or ``[model.budget]``."""
    limits = _limits(problems.table(written, path), path, problems)
    return {(limit.metric, limit.layers, limit.of): limit for limit in limits}


def _limits(table: Mapping[str, Any], path: Path, problems: Problems) -> Iterator[Limit]:
    for metric, written in table.items():
        here = (*path, metric)
        if metric == "layers":
            for pattern, row in problems.table(written, here).items():
                yield from _of_layers(pattern, row, (*here, pattern), problems)
        elif metric == "regression" and isinstance(written, dict):
            yield from _growths(written, here, problems)
        elif metric == "fits":
            problems.add(here, "is judged without being asked for; leave it out")
        elif metric in METRICS:
            yield from _limit(metric, written, here, problems)
        else:
            problems.unknown(here, [*(name for name in METRICS if name != "fits"), "layers"])


def _of_layers(pattern: str, row: object, path: Path, problems: Problems) -> Iterator[Limit]:
    """Read the limits that each of some layers must keep."""
    table = problems.table(row, path)
    if isinstance(row, dict) and not row:
        problems.add(path, "limits nothing; give " + " or ".join(LAYER_METRICS))
    for metric, written in table.items():
        if metric in LAYER_METRICS:
            yield from _limit(metric, written, (*path, metric), problems, pattern)
        else:
            problems.unknown((*path, metric), LAYER_METRICS)


def _limit(
    metric: str, written: Any, path: Path, problems: Problems, layers: str | None = None
) -> Iterator[Limit]:
    try:
        value = read(written, metric)
    except ValueError as error:
        problems.add(path, str(error))
    else:
        yield Limit(metric, value, str(written), problems.source(path), layers)


def _growths(table: Mapping[str, Any], path: Path, problems: Problems) -> Iterator[Limit]:
    """Read by how much each metric may grow: a share with %, or in its unit."""
    for of, written in table.items():
        here = (*path, of)
        if of not in GROWING:
            problems.unknown(here, GROWING)
            continue
        is_absolute = not is_share(written)
        if isinstance(written, float):
            problems.add(here, f"{written!r} is neither a share, like 2 %, nor an amount")
            continue
        try:
            value = read_unit(written, METRICS[of] if is_absolute else "share")
        except ValueError as error:
            problems.add(here, f"{error}, or 2 % of the baseline")
        else:
            source = problems.source(here)
            yield Limit("regression", value, str(written), source, None, of, is_absolute)
