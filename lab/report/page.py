"""A page of Markdown on a recipe that was followed: figures, tables, and how it came about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

from tinysim.lab.measure import Row
from tinysim.lab.recipe import Recipe
from tinysim.lab.report.published import published_table
from tinysim.lab.report.table import (
    as_markdown,
    board_table,
    by_stage,
    confusion_tables,
    model_table,
)
from tinysim.report.markdown import escaped


def page(rows: Sequence[Row], recipe: Recipe, figures: Iterable[str]) -> str:
    """Return the page; figures are names of files beside it."""
    tables = [model_table(rows), board_table(rows)]
    if recipe.published:
        tables.append(published_table(rows, recipe.published))
    parts = [
        f"# {escaped(recipe.name)}",
        f"{_made(recipe)} {_judged(rows)}",
        "\n".join(f"![{PurePath(one).stem}]({one})" for one in figures),
        *(f"## {escaped(one.title)}\n\n{as_markdown(one)}".rstrip() for one in tables),
        _notes(rows),
        *(
            f"## {escaped(one.title)}\n\n{as_markdown(one)}".rstrip()
            for one in confusion_tables(rows)
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _made(recipe: Recipe) -> str:
    seeds = f"seed {recipe.seed}"
    if recipe.repeats > 1:
        seeds = f"{recipe.repeats} repeats with seeds from {recipe.seed}"
    return f"`tinysim lab run {escaped(recipe.file.name)} --mode {recipe.mode}`, {seeds}."


def _judged(rows: Sequence[Row]) -> str:
    if rows[0].accuracy is None:
        return "The samples have no labels: there is no accuracy."
    evaluators = "; ".join(dict.fromkeys(row.evaluator for row in rows))
    return f"Accuracy of {rows[0].samples:,} test samples, computed by: {evaluators}."


def _notes(rows: Sequence[Row]) -> str:
    """Return what stages say of themselves."""
    lines = [
        f"- {escaped(repeats[0].stage)}: {escaped(_said(repeats[0].notes))}"
        for repeats in by_stage(rows).values()
        if repeats[0].notes
    ]
    return "\n".join(["## Notes of the first repeat\n", *lines]) if lines else ""


def _said(notes: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in notes.items())
