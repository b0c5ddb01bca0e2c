"""SARIF 2.1.0 of a check: a result a limit that is not kept, at its line of the budget.

What fails, or cannot be judged, is an error; what may fail a warning if that is not accepted, and a
note if it is. Results keep their fingerprints while numbers and lines move.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from tinysim.budget import MAY_FAIL, METRICS, PASSES, Case, CheckResult, Finding, Source
from tinysim.report._check_words import headline, version
from tinysim.report._table import printable

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_PROBLEM = "cannot-run"
#: What each rule wants; the metrics are the others.
_WANTS = {
    "accuracy": "The model gets at least so much right.",
    "regression": "The model costs no more than so much above the baseline.",
    "headroom": "So much of every memory region stays free.",
    "fits": "The model fits the memory of the board.",
}
RULES = (*(f"budget-{metric}" for metric in METRICS), _PROBLEM)


def render_check(result: CheckResult) -> str:
    """Render as JSON with a newline at the end."""
    return json.dumps(as_data(result), indent=2, allow_nan=False) + "\n"


def as_data(result: CheckResult) -> dict[str, Any]:
    """Return the log as plain dictionaries, lists and numbers."""
    made = version(result)
    driver = {"name": "tinysim", **({} if made is None else {"semanticVersion": made})}
    run = {
        "tool": {"driver": {**driver, "rules": [_rule(rule) for rule in RULES]}},
        "automationDetails": {"id": "tinysim/check/"},
        "columnKind": "utf16CodeUnits",
        "results": [*_results(result)],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: str) -> dict[str, Any]:
    metric = rule.removeprefix("budget-")
    wants = _WANTS.get(metric, f"The model keeps its budget of {metric}.")
    if rule == _PROBLEM:
        wants = "The model can be compiled and run on the board."
    return {
        "id": rule,
        "name": "".join(part.title() for part in rule.split("-")),
        "shortDescription": {"text": wants},
        "defaultConfiguration": {"level": "error"},
    }


def _results(result: CheckResult) -> Iterator[dict[str, Any]]:
    for case in result.cases:
        if case.problem is not None:
            yield _result(case, _PROBLEM, "error", case.problem, case.source)
        for finding in case.findings:
            if finding.verdict != PASSES:
                yield _of(result, case, finding)


def _of(result: CheckResult, case: Case, finding: Finding) -> dict[str, Any]:
    limit = finding.limit
    level = "error"
    if finding.verdict == MAY_FAIL:
        level = "warning" if result.is_broken(finding) else "note"
    text = headline(finding) + "".join(f"\n- {fix}" for fix in finding.fixes)
    rule = f"budget-{limit.metric}"
    return _result(case, rule, level, text, limit.source, limit.name)


def _result(
    case: Case, rule: str, level: str, text: str, source: Source, limit: str = ""
) -> dict[str, Any]:
    key = json.dumps([rule, case.model, case.board, limit])
    location = {
        "physicalLocation": {
            "artifactLocation": _artifact(source),
            "region": {"startLine": source.line},
        },
        "logicalLocations": [
            {"name": case.model, "fullyQualifiedName": f"{case.board}/{case.model}"},
        ],
    }
    return {
        "ruleId": rule,
        "ruleIndex": RULES.index(rule),
        "level": level,
        "message": {"text": _plain(f"{case.model} on {case.board}: {text}")},
        "locations": [location],
        "partialFingerprints": {"tinysimLimit/v1": hashlib.sha256(key.encode()).hexdigest()},
    }


def _artifact(source: Source) -> dict[str, str]:
    """Return where a file is: from the root of the sources, unless its path is absolute."""
    if source.file.is_absolute():
        return {"uri": source.file.as_uri()}
    return {"uri": quote(source.file.as_posix()), "uriBaseId": "%SRCROOT%"}


def _plain(text: str) -> str:
    """Keep names from being read as placeholders or links."""
    shown = "\n".join(printable(line) for line in text.split("\n"))
    doubled = shown.replace("{", "{{").replace("}", "}}")
    return re.sub(r"\[(?=[^\]]*\]\()", r"\\[", doubled)
