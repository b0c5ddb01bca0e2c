"""Follows recipes: repeats times stages, each in a folder of its own and measured, then a table.

``<out>/<repeat>/<NN-kind>/`` holds what a stage has made and what it costs. Whenever a run is
killed, the next one takes what is whole as it is, does the rest, and ends with the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tinysim.check.workers import work_on
from tinysim.errors import OutputError, RecipeError, TinysimError
from tinysim.lab.helped import can_lock, unlocked
from tinysim.lab.measure import Row
from tinysim.lab.model_files import written_whole
from tinysim.lab.progress import Clock, Progress
from tinysim.lab.quiet import import_tensorflow
from tinysim.lab.recipe import Recipe
from tinysim.lab.repeat import folder_of, follow, help_along, steps
from tinysim.lab.report.charts import charts
from tinysim.lab.report.page import page
from tinysim.lab.report.table import ROWS, to_csv, to_json
from tinysim.lab.told import listening, teller

#: What makes a folder ours: others, if there is anything in them, are left alone.
MARK = ".tinysim-lab"

OnProgress = Callable[[Progress], None]


def run(
    recipe: Recipe,
    out: Path,
    *,
    jobs: int = 1,
    on_progress: OnProgress = lambda progress: None,
) -> tuple[Row, ...]:
    """Do what a recipe says, or what is left of it, and write tables and charts.

    Parameters
    ----------
    recipe
        See ``tinysim.lab.recipe_file.read_recipe``.
    out
        A folder for all that is made: a new or empty one, or that of an earlier run.
    jobs
        How many repeats are done at the same time, each by a process of its own.
    on_progress
        Called as the work goes on.

    Returns
    -------
    tuple of Row
        A row for each stage of each repeat. The same recipe gives the same rows on one machine.

    Raises
    ------
    TinysimError
        If a stage cannot be done; what came before it is kept.
    """
    with _owned(out):
        (out / ROWS).unlink(missing_ok=True)  # until this run has come to its end, too
        if jobs == 1 or recipe.repeats == 1:
            clock = Clock(steps(recipe), recipe.repeats, on_progress)
            found = [follow(recipe, out, repeat, clock) for repeat in range(recipe.repeats)]
        else:
            found = _side_by_side(recipe, out, jobs, on_progress)
        rows = tuple(row for each in found for row in each)
        for name, text in reports(rows, recipe).items():
            with written_whole(out / name) as part:
                part.write_text(text, encoding="utf-8")
    return rows


def reports(rows: Sequence[Row], recipe: Recipe) -> dict[str, str]:
    """Return name of a file -> its text: tables and charts, and what they are made of at last."""
    drawn = charts(rows, recipe.boards)
    return {
        **drawn,
        "table.md": page(rows, recipe, drawn),
        "table.csv": to_csv(rows),
        ROWS: to_json(rows),
    }


def _side_by_side(
    recipe: Recipe, out: Path, jobs: int, on_progress: OnProgress
) -> list[tuple[Row, ...]]:
    """Do several repeats at the same time; an error waits for the other repeats to end.

    Who has none left helps with one of the last.
    """
    last = recipe.repeats % jobs if can_lock() else 0
    helped = range(recipe.repeats - min(last, jobs - last), recipe.repeats)
    tasks = [_Task(recipe, out, i, is_helped=i in helped) for i in range(recipe.repeats)]
    helpers = [_Task(recipe, out, repeat, is_helper=True) for repeat in helped]
    folders = [folder_of(out, task.repeat) for task in tasks]
    with listening(folders, jobs, on_progress):
        answers = work_on([*tasks, *helpers], _answer, jobs, _died, lambda answer: None)
    for folder in folders:
        unlocked(folder)
    found = []
    for answer in answers[: len(tasks)]:  # what stops a helper stops whom it helps, too
        if isinstance(answer, TinysimError):
            raise answer
        found.append(answer)
    return found


@dataclass(frozen=True)
class _Task:
    """One repeat, for another process, or help with it."""

    recipe: Recipe
    out: Path
    repeat: int
    is_helped: bool = False
    is_helper: bool = False


def _answer(task: _Task) -> tuple[Row, ...] | TinysimError:
    import_tensorflow()
    folder = folder_of(task.out, task.repeat)
    folder.mkdir(exist_ok=True)
    clock = Clock(steps(task.recipe), 1, teller(folder))
    try:
        if task.is_helper:
            help_along(task.recipe, task.out, task.repeat)
            return ()
        return follow(task.recipe, task.out, task.repeat, clock, is_helped=task.is_helped)
    except TinysimError as error:
        return error


def _died(task: _Task, exit_code: int) -> tuple[Row, ...] | TinysimError:
    return RecipeError(
        f"its process ended with {exit_code}",
        where=f"{task.recipe.file}: repeat {task.repeat + 1}",
        fix="run it again, with --jobs 1 if memory is short; what is whole is kept",
    )


@contextmanager
def _owned(out: Path) -> Iterator[None]:
    """Make the folder, or take one that is ours, and keep other runs away from it meanwhile."""
    mark = out / MARK
    try:
        out.mkdir(parents=True, exist_ok=True)
        is_of_others = not mark.exists() and any(out.iterdir())
        stream = None if is_of_others else mark.open("w")
    except OSError as error:
        raise OutputError(
            error.strerror or str(error), where=str(out), fix="give a folder that can be written"
        ) from error
    if stream is None:
        raise OutputError("holds other files", where=str(out), fix="give a new folder with --out")
    with stream:
        if not _locked(stream):
            raise OutputError(
                "another run is at work in it", where=str(out), fix="wait, or give another --out"
            )
        yield


def _locked(stream: IO[str]) -> bool:
    """Lock a file until it is closed, however the process ends; where the system can do that."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
