"""What all formats of a check say in the same words."""

from __future__ import annotations

from collections import Counter

from tinysim.budget import (
    FAILS,
    MAY_FAIL,
    PASSES,
    UNKNOWN,
    VERDICTS,
    Case,
    CheckResult,
    Finding,
    Source,
)
from tinysim.budget.units import write, write_band
from tinysim.simulator.profile import Profile

HEADINGS = ("model", "board", "metric", "measured", "limit", "verdict")


def cells(case: Case, finding: Finding) -> tuple[str, ...]:
    """Return the row of a limit under ``HEADINGS``."""
    limit = finding.limit
    wanted = write(limit.value, limit.unit)
    at = "at least " if limit.metric in ("accuracy", "headroom") else ""
    return (case.model, case.board, limit.name, measured(finding), at + wanted, finding.verdict)


def measured(finding: Finding) -> str:
    """Say what was measured, with its band."""
    if finding.measured is None:
        return "-"
    low = finding.measured if finding.low is None else finding.low
    high = finding.measured if finding.high is None else finding.high
    return write_band(finding.measured, low, high, finding.limit.unit)


def headline(finding: Finding) -> str:
    """Say in a sentence what became of a limit."""
    return f"{finding.limit.name} {finding.verdict}: {finding.message}"


def counts(result: CheckResult) -> dict[str, int]:
    """Count findings by verdict, and cases without a profile."""
    found = Counter(finding.verdict for case in result.cases for finding in case.findings)
    problems = sum(case.problem is not None for case in result.cases)
    return {**{verdict: found[verdict] for verdict in VERDICTS}, "problems": problems}


def outcome(result: CheckResult) -> str:
    """Say in a line how it ended."""
    number = counts(result)
    words = {PASSES: "pass", MAY_FAIL: "may fail", FAILS: "fail", UNKNOWN: "unknown"}
    parts = [f"{number[verdict]} {word}" for verdict, word in words.items() if number[verdict]]
    limits = sum(number[verdict] for verdict in words)
    text = f"{'fails' if result.exit_code else 'passes'}: {limits} limits"
    text += f" ({', '.join(parts)})" if parts else ""
    if result.is_strict and number[MAY_FAIL]:
        text += ", and is strict"
    if number["problems"]:
        text += f"; {number['problems']} of {len(result.cases)} models on boards could not be run"
    return text


def conditions(profile: Profile) -> str:
    """Say under what conditions the numbers hold."""
    timing = profile.timing
    how = " ".join(flag for flag in profile.toolchain.flags if flag.startswith("-O"))
    return (
        f"{profile.core} at {profile.clock_hz / 1e6:g} MHz; grade {timing.grade}, error "
        f"{timing.error_low:+.0%} to {timing.error_high:+.0%}, fidelity {timing.fidelity}; output "
        f"{profile.output_check.status}; model {profile.model_sha256[:16]}; "
        f"{profile.toolchain.version} {how}; tinysim {profile.tinysim_version}"
    )


def place(source: Source) -> str:
    """Write where a limit stands."""
    return f"{source.file.as_posix()}:{source.line}"


def version(result: CheckResult) -> str | None:
    """Return the version that made the profiles, if there are any."""
    made = (case.profile.tinysim_version for case in result.cases if case.profile is not None)
    return next(made, None)
