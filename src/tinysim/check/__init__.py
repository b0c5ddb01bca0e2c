"""All models of a file of budgets on all their boards, judged: ``check(settings)``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from tinysim.baseline.store import DEFAULT_FOLDER
from tinysim.budget import Case, CheckResult
from tinysim.budget.settings import ModelSettings, Settings
from tinysim.check.case import Task, check_case, died
from tinysim.check.workers import work_on
from tinysim.errors import BudgetError


def check(
    settings: Settings,
    *,
    jobs: int | None = None,
    use_cache: bool = True,
    on_case: Callable[[Case], None] = lambda case: None,
) -> CheckResult:
    """Run every model on every board that the settings name, and judge what it costs.

    Parameters
    ----------
    settings
        A file of budgets, see ``tinysim.budget.settings``.
    jobs
        How many processes share the work; as many as there are processors if not given. More than
        one want what ``multiprocessing`` wants: a script that calls this must be importable.
    use_cache
        Take what earlier runs have compiled.
    on_case
        Called with each case as it is done, in any order.

    Returns
    -------
    CheckResult
        The cases in the order of the file; a case that cannot be run says why.
    """
    baselines = settings.baseline or settings.file.parent / DEFAULT_FOLDER
    tasks = [
        Task(model, board, baselines, use_cache)
        for model in settings.models
        for board in model.boards
    ]
    jobs = jobs or os.cpu_count() or 1
    return CheckResult(tuple(work_on(tasks, check_case, jobs, died, on_case)), settings.is_strict)


def only(settings: Settings, models: Sequence[str] = (), boards: Sequence[str] = ()) -> Settings:
    """Return settings with only the models and boards that match one of the shell patterns.

    A model goes by its name, the name of its file, or that without the suffix.

    Raises
    ------
    BudgetError
        If nothing is left of what one of the patterns asks for.
    """
    kept: list[ModelSettings] = []
    unmatched = {*models, *boards}
    for model in settings.models:
        names = (model.name, model.path.name, model.path.stem)
        by_name = {one for one in models if any(_matches(name, one) for name in names)}
        by_board = {name: {one for one in boards if _matches(name, one)} for name in model.boards}
        chosen = tuple(name for name, found in by_board.items() if found or not boards)
        if chosen and (by_name or not models):
            kept.append(replace(model, boards=chosen))
            unmatched -= by_name.union(*by_board.values())
    if unmatched:
        raise BudgetError(
            f"nothing goes by {', '.join(sorted(unmatched))}",
            where=str(settings.file),
            fix=f"there are: {', '.join(_names(settings))}",
        )
    return replace(settings, models=tuple(kept))


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)


def _names(settings: Settings) -> list[str]:
    models = [model.name for model in settings.models]
    return [*models, *dict.fromkeys(board for model in settings.models for board in model.boards)]
