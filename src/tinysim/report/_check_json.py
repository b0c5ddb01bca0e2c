"""JSON of a check, as ``check.schema.json`` says; the same result gives the same bytes."""

from __future__ import annotations

import json
from typing import Any

from tinysim.budget import Case, CheckResult, Finding, Source
from tinysim.report._check_words import counts
from tinysim.simulator.profile import Profile

SCHEMA_VERSION = 1


def render_check(result: CheckResult) -> str:
    """Render as JSON with a newline at the end."""
    return json.dumps(as_data(result), indent=2, allow_nan=False) + "\n"


def as_data(result: CheckResult) -> dict[str, Any]:
    """Return the result as plain dictionaries, lists and numbers."""
    number = {key.replace(" ", "_"): count for key, count in counts(result).items()}
    return {
        "schema_version": SCHEMA_VERSION,
        "is_strict": result.is_strict,
        "exit_code": result.exit_code,
        "summary": {"cases": len(result.cases), **number},
        "cases": [_case(result, case) for case in result.cases],
    }


def _case(result: CheckResult, case: Case) -> dict[str, Any]:
    problem = {"message": case.problem, "exit_code": case.problem_exit_code}
    return {
        "model": case.model,
        "board": case.board,
        "source": _source(case.source),
        "problem": None if case.problem is None else problem,
        "conditions": None if case.profile is None else _conditions(case.profile),
        "findings": [_finding(result, finding) for finding in case.findings],
    }


def _conditions(profile: Profile) -> dict[str, Any]:
    return {
        "tinysim_version": profile.tinysim_version,
        "model_sha256": profile.model_sha256,
        "board_sha256": profile.board_sha256,
        "core": profile.core,
        "core_sha256": profile.core_sha256,
        "clock_hz": profile.clock_hz,
        "toolchain": profile.toolchain.version,
        "flags": list(profile.toolchain.flags),
        "grade": profile.timing.grade,
        "error_low": profile.timing.error_low,
        "error_high": profile.timing.error_high,
        "fidelity": profile.timing.fidelity,
        "output_check": profile.output_check.status,
    }


def _finding(result: CheckResult, finding: Finding) -> dict[str, Any]:
    limit = finding.limit
    return {
        "metric": limit.metric,
        "layers": limit.layers,
        "of": limit.of,
        "unit": limit.unit,
        "limit": limit.value,
        "limit_text": limit.text,
        "source": _source(limit.source),
        "verdict": finding.verdict,
        "is_broken": result.is_broken(finding),
        "measured": finding.measured,
        "low": finding.low,
        "high": finding.high,
        "message": finding.message,
        "fixes": list(finding.fixes),
    }


def _source(source: Source) -> dict[str, Any]:
    return {"file": source.file.as_posix(), "line": source.line}
