"""A check as rich renderables: what the terminal shows, and plain text is made from."""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinysim.budget import FAILS, MAY_FAIL, PASSES, UNKNOWN, CheckResult
from tinysim.report._check_words import HEADINGS, cells, headline, outcome, place
from tinysim.report._table import printable

NAME_WIDTH = 40
_STYLES = {PASSES: "green", MAY_FAIL: "yellow", FAILS: "red", UNKNOWN: "red"}


def report(result: CheckResult) -> Group:
    """Return the whole report: all limits, then what is wrong and what would mend it."""
    end = Text(f"\n{outcome(result)}", style="bold red" if result.exit_code else "bold green")
    return Group(_limits(result), *_wrong(result), end)


def render_check(result: CheckResult) -> str:
    """Render as plain text, 160 columns wide."""
    console = Console(file=io.StringIO(), width=160, color_system=None, legacy_windows=False)
    console.print(report(result))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _limits(result: CheckResult) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading in ("measured", "limit") else "left")
    for case in result.cases:
        for finding in case.findings:
            *texts, verdict = cells(case, finding)
            row = [Text(_short(text)) for text in texts]
            table.add_row(*row, Text(verdict, style=_STYLES[verdict]))
        if case.problem is not None:
            named = (Text(_short(case.model)), Text(_short(case.board)))
            table.add_row(*named, "-", "-", "-", Text("not run", style="red"))
    return table


def _wrong(result: CheckResult) -> Iterator[Text]:
    for case in result.cases:
        if case.problem is not None:
            yield _paragraph(f"{place(case.source)}: {case.model} on {case.board}", case.problem)
    for case, finding in result.broken():
        where = f"{place(finding.limit.source)}: {case.model} on {case.board}"
        yield _paragraph(where, headline(finding), *finding.fixes)


def _paragraph(where: str, said: str, *fixes: str) -> Text:
    lines = [f"  - {printable(fix)}" for fix in fixes]
    return Text("\n" + "\n".join([printable(where), f"  {printable(said)}", *lines]))


def _short(text: str) -> str:
    text = printable(text)
    return text if len(text) <= NAME_WIDTH else "…" + text[1 - NAME_WIDTH :]
