"""Markdown of a check: the body of a comment on a pull request, or of a step's summary.

It begins with a mark by which a later run finds its comment, and never grows too long for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tinysim.budget import FAILS, MAY_FAIL, PASSES, UNKNOWN, CheckResult
from tinysim.report._check_words import HEADINGS, cells, conditions, outcome, place
from tinysim.report._table import printable

MARKER = "<!-- tinysim-check -->"
#: Bytes that each part may take; a comment on GitHub takes 65,536 characters.
_TABLE_BYTES, _DETAILS_BYTES, _CONDITIONS_BYTES = 28_000, 24_000, 6_000
#: Characters of one name or sentence that are shown.
_NAME_WIDTH, _TEXT_WIDTH = 80, 600
_SIGNS = {PASSES: "✅", MAY_FAIL: "⚠️", FAILS: "❌", UNKNOWN: "❓"}


def render_check(result: CheckResult) -> str:
    """Render as Markdown."""
    title = f"{MARKER}\n### tinysim check {outcome(result)}\n"
    head = f"| {' | '.join(HEADINGS)} |\n| --- | --- | --- | ---: | ---: | --- |"
    parts = [title, head + "\n" + _within([*_rows(result)], _TABLE_BYTES, "limits")]
    if details := [*_details(result)]:
        parts.append(_within(details, _DETAILS_BYTES, "details"))
    if under := list(dict.fromkeys(_conditions(result))):
        inner = _within(under, _CONDITIONS_BYTES, "conditions")
        parts.append(f"<details><summary>conditions</summary>\n\n{inner}\n</details>\n")
    return "\n".join(parts)


def _rows(result: CheckResult) -> Iterator[str]:
    """Return the rows of the table, first what makes the check fail."""
    for case in result.cases:
        if case.problem is not None:
            names = f"| {_name(case.model)} | {_name(case.board)}"
            yield f"{names} | - | - | - | ❌ could not be run |\n"
    found = [(case, finding) for case in result.cases for finding in case.findings]
    for case, finding in sorted(found, key=lambda pair: not result.is_broken(pair[1])):
        *texts, verdict = cells(case, finding)
        yield f"| {' | '.join(map(_name, texts))} | {_SIGNS[verdict]} {verdict} |\n"


def _details(result: CheckResult) -> Iterator[str]:
    for case in result.cases:
        if case.problem is not None:
            who = f"**{_name(case.model)} on {_name(case.board)}** could not be run"
            yield f"{who} ({_name(place(case.source))}): {_text(case.problem)}\n\n"
    for case, finding in result.broken():
        limit = finding.limit
        what = f"{_name(limit.name)} {finding.verdict}"
        who = f"**{_name(case.model)} on {_name(case.board)}: {what}**"
        fixes = "".join(f"- {_text(fix)}\n" for fix in finding.fixes)
        said = f"{who} ({_name(place(limit.source))}): {_text(finding.message)}\n"
        yield f"{said}{fixes}\n"


def _conditions(result: CheckResult) -> Iterator[str]:
    for case in result.cases:
        if case.profile is not None:
            who = f"{_name(case.model)} on {_name(case.board)}"
            yield f"- {who}: {_text(conditions(case.profile))}\n"


def _within(parts: Sequence[str], most_bytes: int, what: str) -> str:
    """Join as many parts as there is room for, and say how many there are more."""
    kept, size = 0, 0
    for part in parts:
        size += len(part.encode())
        if size > most_bytes:
            break
        kept += 1
    more = len(parts) - kept
    return "".join(parts[:kept]) + (f"\n*{more:,} more {what} are not shown.*\n" if more else "")


def _name(text: str) -> str:
    return _text(text, _NAME_WIDTH)


def _text(text: str, width: int = _TEXT_WIDTH) -> str:
    """Keep text from being read as Markdown, HTML, a mention or a link."""
    text = printable(text)
    text = text if len(text) <= width else "…" + text[1 - width :]
    text = re.sub(r"([\\`*_{}\[\]<>&|~#@$!])", r"\\\1", text)
    text = text.replace("www.", r"www\.").replace("://", r"\://")
    return re.sub(r"([#@])", r"\1&#8203;", text)
