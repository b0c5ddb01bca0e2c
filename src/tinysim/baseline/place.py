"""Where the baselines of a project are."""

from __future__ import annotations

from pathlib import Path

from tinysim.baseline.store import DEFAULT_FOLDER
from tinysim.budget.settings import find_settings, read_settings
from tinysim.errors import BudgetError


def baseline_folder(project: Path) -> Path:
    """Return the folder that the settings of a project name, or the usual one.

    Raises
    ------
    BudgetError
        If there are settings that cannot be read.
    """
    try:
        file = find_settings(project)
    except BudgetError:  # a model needs no settings to have a baseline
        return project / DEFAULT_FOLDER
    return read_settings(file).baseline or project / DEFAULT_FOLDER
