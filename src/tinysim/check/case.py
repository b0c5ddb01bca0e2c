"""One model on one board: run, judged, and whatever goes wrong said instead of raised."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tinysim.api import run_each
from tinysim.arrays import read_array
from tinysim.budget import UNKNOWN, Case, Finding
from tinysim.budget.judge import judge
from tinysim.budget.settings import ModelSettings
from tinysim.check.accuracy import Accuracy, accuracy_of
from tinysim.check.baseline import read_baseline
from tinysim.errors import InternalError, TinysimError
from tinysim.simulator.profile import Profile

#: Exit codes of what no ``TinysimError`` says.
_ENVIRONMENT, _BUG = 4, 70
#: Signals that the system or the user ends processes with; any other is of our own making.
_SENT = (signal.SIGHUP, signal.SIGKILL, signal.SIGTERM)


@dataclass(frozen=True)
class Task:
    """What must be known to check one model on one board; ``baselines`` is their folder."""

    model: ModelSettings
    board: str
    baselines: Path
    use_cache: bool

    @property
    def where(self) -> str:
        """The model and the board, for messages."""
        return f"{self.model.name} on {self.board}"


def check_case(task: Task) -> Case:
    """Run a model and judge it; an error is the problem of this case."""
    try:
        profile = _profile(task)
        return Case(
            task.model.name, task.board, task.model.source, profile, _findings(task, profile)
        )
    except TinysimError as error:
        return problem(task, str(error), error.exit_code)
    except MemoryError:
        return problem(task, f"{task.where}: not enough memory; {_FEWER}", _ENVIRONMENT)
    except Exception as error:  # a bug, and no reason not to check the others
        last = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
        return problem(task, f"{task.where}: {what}; {_REPORT}", _BUG)


def died(task: Task, exit_code: int) -> Case:
    """Return the case whose process ended, of its own or another's doing."""
    if -exit_code in _SENT:
        name = signal.Signals(-exit_code).name
        what = f"its process was ended by {name}, as for want of memory"
        return problem(task, f"{task.where}: {what}; {_FEWER}", _ENVIRONMENT)
    what = f"its process ended with exit code {exit_code}"
    return problem(task, f"{task.where}: {what}; {_REPORT}", _BUG)


_FEWER = "check with fewer --jobs, or free some memory"
_REPORT = "this is a bug of tinysim: please report it with the model"


def problem(task: Task, text: str, exit_code: int) -> Case:
    """Return a case without a profile."""
    model = task.model
    return Case(model.name, task.board, model.source, None, (), text, exit_code)


def _profile(task: Task) -> Profile:
    """Run the model, whose output must be right."""
    model = task.model
    batches = [[read_array(path) for path in model.inputs]] if model.inputs else None
    runs = run_each(model.path, task.board, batches, use_cache=task.use_cache, **model.choices)
    profile = next(runs)
    if profile.output_check.status == "mismatch":
        raise InternalError(
            "the device's output differs from the host's: no number of this run counts",
            where=task.where,
            fix="please report it with the model",
        )
    return profile


def _findings(task: Task, profile: Profile) -> tuple[Finding, ...]:
    """Judge all limits; what cannot be measured is unknown, and why is said."""
    limits = task.model.limits_by_board[task.board]
    asked = {limit.metric for limit in limits}
    reasons: dict[str, str] = {}
    accuracy: Accuracy | None = None
    baseline: Mapping[str, Any] | None = None
    if "accuracy" in asked and task.model.data is not None:
        try:
            accuracy = _accuracy(task, task.model.data, profile)
        except TinysimError as error:
            reasons["accuracy"] = str(error)
    if "regression" in asked:
        try:
            baseline = read_baseline(task.baselines, task.model.path, task.board)
        except TinysimError as error:
            reasons["regression"] = str(error)
    share, samples = (accuracy.share, accuracy.total) if accuracy else (None, None)
    findings = judge(profile, limits, share, baseline, samples=samples)
    return tuple(_explained(finding, reasons, accuracy) for finding in findings)


def _accuracy(task: Task, data: Path, profile: Profile) -> Accuracy:
    model = task.model
    return accuracy_of(model.path, task.board, data, profile, model.choices, task.use_cache)


def _explained(finding: Finding, reasons: Mapping[str, str], accuracy: Accuracy | None) -> Finding:
    """Say why something is unknown, or who computed the samples."""
    limit = finding.limit
    if finding.verdict == UNKNOWN and limit.metric in reasons:
        return replace(finding, message=reasons[limit.metric])
    if limit.metric == "accuracy" and accuracy is not None:
        return replace(finding, message=f"{finding.message}; {accuracy.said}")
    return finding
