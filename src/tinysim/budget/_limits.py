"""A table of budgets -> limits, with everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tinysim.budget import METRICS, Limit
from tinysim.budget.units import is_share, read, read_unit
from tinysim.problems import Problems
from tinysim.toml_lines import Path

#: What single layers may be limited in.
LAYER_METRICS = ("latency", "cycles", "energy")
#: What may be kept from growing.
GROWING = tuple(name for name, unit in METRICS.items() if unit != "share" and name != "fits")

#: What a limit is of: of two that are of the same, the later one holds.
Key = tuple[str, str | None, str | None]


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
