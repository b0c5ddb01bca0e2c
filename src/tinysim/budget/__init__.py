"""Budgets: what a model may cost on a board, and whether it does.

The words that the parts of a check have in common: ``Limit`` is a line of a budget, ``Finding``
what became of it, ``Case`` a model on a board, ``CheckResult`` all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinysim.problems import Source as Source
from tinysim.simulator.profile import Profile

#: What may become of a limit, the best first. ``MAY_FAIL``: inside the error band. ``UNKNOWN``: it
#: could not be read or measured, which never passes.
PASSES, MAY_FAIL, FAILS, UNKNOWN = VERDICTS = ("passes", "may fail", "fails", "unknown")

#: Metric -> its unit. ``accuracy`` must be reached, all others must not be exceeded; ``regression``
#: is the largest growth of any metric against the baseline; ``headroom`` the share of every memory
#: region that must stay free; ``fits`` is there without being asked for.
METRICS = {
    "latency": "s",
    "cycles": "cycles",
    "energy": "J",
    "ram": "B",
    "arena": "B",
    "stack": "B",
    "static": "B",
    "flash": "B",
    "weights": "B",
    "code": "B",
    "accuracy": "share",
    "regression": "share",
    "headroom": "share",
    "fits": "B",
}


@dataclass(frozen=True)
class Limit:
    """One line of a budget.

    ``value`` is in the metric's unit, ``text`` as the user wrote it. ``layers`` is a shell pattern
    of names, operators or indices of layers that each must keep the limit; None is the whole model.
    A ``regression`` is ``of`` one metric, or of all that have none of their own (None); the growth
    is a share of the baseline, or ``is_absolute``: in the unit of that metric.
    """

    metric: str
    value: float
    text: str
    source: Source
    layers: str | None = None
    of: str | None = None
    is_absolute: bool = False

    @property
    def unit(self) -> str:
        """The unit of ``value``, and of what is measured against it."""
        return METRICS[self.of if self.is_absolute and self.of else self.metric]

    @property
    def name(self) -> str:
        """What is limited, in words: ``cycles of layers conv*``, ``regression of flash``."""
        if self.layers is not None:
            return f"{self.metric} of layers {self.layers}"
        return self.metric if self.of is None else f"{self.metric} of {self.of}"


@dataclass(frozen=True)
class Finding:
    """What became of a limit.

    ``measured`` with its band ``low`` to ``high`` is in the metric's unit, None where nothing was
    measured. ``fixes`` are what would keep the limit soonest, the best first.
    """

    limit: Limit
    verdict: str
    message: str
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    fixes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One model on one board.

    ``model`` is the path as the user wrote it. ``problem`` says why there is no profile: the text
    of an error, ``where: what; how to fix``, with the exit code that it stands for.
    """

    model: str
    board: str
    source: Source
    profile: Profile | None
    findings: tuple[Finding, ...]
    problem: str | None = None
    problem_exit_code: int = 0


@dataclass(frozen=True)
class CheckResult:
    """All models on all boards. ``is_strict`` lets what may fail, fail."""

    cases: tuple[Case, ...]
    is_strict: bool

    def is_broken(self, finding: Finding) -> bool:
        """Whether a limit is not kept; what may fail is, unless strict."""
        return finding.verdict not in ((PASSES,) if self.is_strict else (PASSES, MAY_FAIL))

    def broken(self) -> Iterator[tuple[Case, Finding]]:
        """Return the limits that are not kept."""
        for case in self.cases:
            for finding in case.findings:
                if self.is_broken(finding):
                    yield case, finding

    @property
    def exit_code(self) -> int:
        """0 if every limit is kept, 1 if one is not, or that of the worst problem."""
        problems = [case.problem_exit_code for case in self.cases if case.problem is not None]
        return max(problems, default=1 if any(self.broken()) else 0)
