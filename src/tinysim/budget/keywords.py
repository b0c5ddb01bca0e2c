"""Budgets as keyword arguments: the keys and values of ``[model.budget]``, from Python."""

from __future__ import annotations

from collections.abc import Mapping

from tinysim.budget import Limit, Source
from tinysim.budget._limits import Key, read_limits
from tinysim.errors import BudgetError
from tinysim.problems import Problems


def read_keywords(keywords: Mapping[str, object], source: Source) -> dict[Key, Limit]:
    """Read limits; of two with the same key, one holds.

    Raises
    ------
    BudgetError
        With everything that is wrong with them.
    """
    problems = Problems(lambda path: source)
    limits = read_limits(dict(keywords), (), problems)
    if problems.found:
        raise BudgetError(
            "; ".join(what for _, what in problems.found),
            where=f"{source.file}:{source.line}",
            fix="mend the budget",
        )
    return limits
