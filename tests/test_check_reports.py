"""Reports of a check: valid in their formats, true to the result, and proof against names."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, SystemOut
from markdown_it import MarkdownIt

from tests.conftest import ROOT
from tests.profiles import placed, profile
from tinysim.budget import METRICS, Case, CheckResult, Limit, Source
from tinysim.budget.judge import judge
from tinysim.report import CHECK_FORMATS, _check_markdown, _check_sarif, render_check
from tinysim.report._table import printable

FILE = Path("models/tiny sim.toml")
HOSTILE = "<script>alert(1)</script>|[x](y) {0} `_*@me*_` \x1b[31m\x00\u202e\n| a ]]> -->\ud800"
PROFILE = profile()


def limit(metric: str, value: float, line: int, **more: Any) -> Limit:
    return Limit(metric, value, "as written", Source(FILE, line), **more)


LIMITS = (
    limit("latency", 0.001, 4),  # fails
    limit("cycles", 12_400, 5),  # may fail
    limit("ram", 100_000, 6),  # passes
    limit("accuracy", 0.9, 7),  # unknown: no data
    limit("headroom", 0.9, 8),  # fails
    limit("cycles", 100, 9, layers="CONV*"),  # fails
    limit("regression", 0.02, 10),  # unknown: no baseline
)


def result(is_strict: bool = False, model: str = "net.tflite", board: str = "bench") -> CheckResult:
    """Return four limits that are not kept, one that may not be, and a model that does not run."""
    findings = judge(PROFILE, LIMITS)
    source = Source(FILE, 3)
    ran = Case(model, board, source, PROFILE, findings)
    stopped = Case("bad.tflite", board, source, None, (), f"{model}: no model; give one", 3)
    return CheckResult((ran, stopped), is_strict)


def sarif(what: CheckResult) -> list[dict[str, Any]]:
    """Return the results of the log."""
    found: list[dict[str, Any]] = json.loads(render_check(what, "sarif"))["runs"][0]["results"]
    return found


@pytest.mark.parametrize("format", CHECK_FORMATS)
def test_every_format_renders_the_same_twice(format: str) -> None:
    assert render_check(result(), format) == render_check(result(), format) != ""


@pytest.mark.parametrize("format", CHECK_FORMATS)
def test_nothing_to_check_renders(format: str) -> None:
    assert render_check(CheckResult((), False), format)


def test_text_says_everything() -> None:
    text = render_check(result(), "text")
    rows = [line.split() for line in text.splitlines()]
    assert [
        "net.tflite",
        "bench",
        "latency",
        "10",
        "(8",
        "to",
        "12.5)",
        "ms",
        "1",
        "ms",
        "fails",
    ] in rows
    assert ["bad.tflite", "bench", "-", "-", "-", "not", "run"] in rows
    assert "models/tiny sim.toml:4: net.tflite on bench\n  latency fails: 10 (8 to 12.5)" in text
    assert "  - --tune: tries every kernel" in text
    assert "models/tiny sim.toml:3: bad.tflite on bench\n  net.tflite: no model; give one" in text
    assert "cycles may fail" not in text
    assert "cycles may fail: 10,000 (8,000 to 12,500) cycles" in render_check(result(True), "text")
    assert text.endswith(
        "fails: 8 limits (2 pass, 1 may fail, 3 fail, 2 unknown); "
        "1 of 2 models on boards could not be run\n"
    )


def test_text_of_a_check_that_passes() -> None:
    case = Case("net", "bench", Source(FILE, 3), PROFILE, judge(PROFILE, [LIMITS[1], LIMITS[2]]))
    passed = render_check(CheckResult((case,), False), "text")
    assert passed.endswith("\npasses: 3 limits (2 pass, 1 may fail)\n")
    strict = render_check(CheckResult((case,), True), "text")
    assert strict.endswith("\nfails: 3 limits (2 pass, 1 may fail), and is strict\n")


def test_json_keeps_its_schema() -> None:
    schema = json.loads(files("tinysim.report").joinpath("check.schema.json").read_text())
    for what in (result(), result(True), CheckResult((), False), result(model=HOSTILE)):
        data = json.loads(render_check(what, "json"))
        jsonschema.Draft202012Validator(schema).validate(data)
    assert schema["$defs"]["finding"]["properties"]["metric"]["enum"] == list(METRICS)
    assert schema["$defs"]["finding"]["properties"]["unit"]["enum"] == [
        *dict.fromkeys(METRICS.values())
    ]


def test_json_says_everything() -> None:
    data = json.loads(render_check(result(), "json"))
    assert data["exit_code"] == 3 and data["cases"][1]["problem"]["exit_code"] == 3
    assert data["summary"] == {
        "cases": 2, "passes": 2, "may_fail": 1, "fails": 3, "unknown": 2, "problems": 1,
    }  # fmt: skip
    latency = data["cases"][0]["findings"][1]
    assert (latency["measured"], latency["low"]) == (0.01, 0.008)
    assert latency["source"] == {"file": "models/tiny sim.toml", "line": 4}
    assert latency["is_broken"] and len(latency["fixes"]) == 3


def test_junit_is_read_by_another_reader() -> None:
    """Failures are limits not kept, errors what could not be judged; what is accepted passes."""
    xml = JUnitXml.fromstring(render_check(result(), "junit").encode())
    assert (xml.tests, xml.failures, xml.errors, xml.skipped) == (9, 3, 3, 0)
    ran, stopped = list(xml)
    assert (ran.name, ran.tests, ran.failures, ran.errors) == ("net.tflite on bench", 8, 3, 2)
    endings = {case.name: [type(part) for part in case] for case in ran}
    assert endings == {
        "fits": [],
        "latency": [Failure],
        "cycles": [SystemOut],
        "ram": [],
        "accuracy": [Error],
        "headroom": [Failure],
        "cycles of layers CONV*": [Failure],
        "regression": [Error],
    }
    (only,) = list(stopped)
    assert only.result[0].message == "net.tflite: no model; give one"
    strict = JUnitXml.fromstring(render_check(result(True), "junit").encode())
    assert (strict.failures, strict.errors) == (4, 3)


def test_sarif_keeps_the_standard() -> None:
    """Checked against what of it we use, written by hand (the official one: see below)."""
    schema = json.loads((ROOT / "tests" / "data" / "sarif-subset.schema.json").read_text())
    for what in (result(), result(True), CheckResult((), False), result(model=HOSTILE)):
        log = json.loads(render_check(what, "sarif"))
        jsonschema.Draft202012Validator(schema).validate(log)
        rules = log["runs"][0]["tool"]["driver"]["rules"]
        assert [rule["id"] for rule in rules] == list(_check_sarif.RULES)
        for one in log["runs"][0]["results"]:
            assert rules[one["ruleIndex"]]["id"] == one["ruleId"]


def test_sarif_keeps_the_official_schema(shared: Path) -> None:
    path = shared / "schemas" / "sarif-schema-2.1.0.json"
    if not path.is_file():
        pytest.skip(f"{path} is not here: SARIF is checked against our part of it only")
    schema = json.loads(path.read_text())
    assert schema["id"] == _check_sarif.SCHEMA
    for what in (result(), result(True), CheckResult((), False), result(model=HOSTILE)):
        log = json.loads(render_check(what, "sarif"))
        jsonschema.Draft4Validator(schema).validate(log)


def test_sarif_has_a_result_a_limit_that_is_not_kept() -> None:
    levels = [(one["ruleId"], one["level"]) for one in sarif(result())]
    assert levels == [
        ("budget-latency", "error"),
        ("budget-cycles", "note"),
        ("budget-accuracy", "error"),
        ("budget-headroom", "error"),
        ("budget-cycles", "error"),
        ("budget-regression", "error"),
        ("cannot-run", "error"),
    ]
    assert sarif(result(True))[1]["level"] == "warning"
    place = sarif(result())[0]["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 4}
    assert place["artifactLocation"]["uriBaseId"] == "%SRCROOT%"
    assert unquote(place["artifactLocation"]["uri"]) == FILE.as_posix()


def test_sarif_knows_results_again() -> None:
    """By model, board and what is limited: not by line, value, or what was measured."""

    def prints(*limits: Limit, model: str = "net") -> set[str]:
        case = Case(model, "bench", Source(FILE, 1), PROFILE, judge(PROFILE, limits))
        return {
            one["partialFingerprints"]["tinysimLimit/v1"]
            for one in sarif(CheckResult((case,), False))
        }

    first = prints(*LIMITS)
    moved = [replace(one, source=Source(FILE, one.source.line + 9)) for one in LIMITS]
    assert len(first) == 6 and prints(*moved) == first
    assert prints(replace(LIMITS[0], value=0.002)) < first
    assert not prints(*LIMITS, model="other") & first


def test_sarif_of_an_absolute_path(tmp_path: Path) -> None:
    one = replace(LIMITS[0], source=Source(tmp_path / "a b.toml", 1))
    case = Case("net", "bench", one.source, PROFILE, judge(PROFILE, [one]))
    (found,) = sarif(CheckResult((case,), False))
    where = found["locations"][0]["physicalLocation"]["artifactLocation"]
    assert where == {"uri": (tmp_path / "a b.toml").as_uri()}


def cells_of(text: str) -> list[list[str]]:
    """Return the cells of a Markdown table as a parser of CommonMark sees them."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    rows: list[list[str]] = []
    for at, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        if token.type in ("td_open", "th_open"):
            inline = tokens[at + 1]
            kinds = {child.type for child in inline.children or []}
            assert kinds <= {"text", "text_special"}, kinds
            rows[-1].append("".join(child.content for child in inline.children or []))
    return rows


def test_markdown_has_one_table_with_what_fails_first() -> None:
    text = render_check(result(), "markdown")
    assert text.startswith("<!-- tinysim-check -->\n### tinysim check fails: 8 limits")
    heading, *rows = cells_of(text)
    assert heading == ["model", "board", "metric", "measured", "limit", "verdict"]
    assert rows[0] == ["bad.tflite", "bench", "-", "-", "-", "❌ could not be run"]
    assert rows[1] == ["net.tflite", "bench", "latency", "10 (8 to 12.5) ms", "1 ms", "❌ fails"]
    assert [row[5].split(" ", 1)[1] for row in rows[6:]] == ["passes", "may fail", "passes"]
    assert "**net.tflite on bench: latency fails** (models/tiny sim.toml:4): 10" in text
    assert "\n- --tune: tries every kernel" in text
    assert "cortex\\_m4 at 1 MHz; grade A, error -20% to +25%" in text


def test_markdown_fits_a_comment_and_says_what_it_leaves_out() -> None:
    names = [f"{'|*_<&@#' * 40}{number}" for number in range(400)]
    cases = tuple(case for name in names for case in result(model=name).cases)
    text = render_check(CheckResult(cases, False), "markdown")
    assert len(text.encode()) < 60_000
    _, *rows = cells_of(text)
    assert f"{400 * 9 - len(rows):,} more limits are not shown" in text
    assert re.search(r"\d,?\d+ more details are not shown", text)
    assert re.search(r"\d+ more conditions are not shown", text)


def test_markdown_mentions_nobody_and_links_nowhere() -> None:
    text = render_check(result(model="@me #12 https://a.b www.a.b [a](b) ![c](d)"), "markdown")
    assert not re.search(r"@\w|#\d|https?://|www\.|(?<!\\)\[", text.replace("&#8203;", "\u200b"))


@settings(max_examples=60, deadline=None)
@given(name=st.text(max_size=90) | st.just(HOSTILE))
def test_names_stay_names(name: str) -> None:
    """In every format; and read back, they are what can be shown of them."""
    what = result(model=name)
    shown = printable(name)
    for format in CHECK_FORMATS:
        text = render_check(what, format)
        assert text.encode(errors="strict").decode() == text
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    rows = cells_of(render_check(what, "markdown"))
    assert all(len(row) == 6 for row in rows) and len(rows) == 10
    read = rows[2][0].replace("\u200b", "")
    assert read == (shown if len(shown) <= 80 else "…" + shown[-79:]).strip()
    assert json.loads(render_check(what, "json"))["cases"][0]["model"] == name
    suite = ET.fromstring(render_check(what, "junit"))[0]
    assert len(suite) == 8
    assert len(cells_of(_check_markdown.render_check(what))) == 10


def test_hostile_names_of_tensors_stay_text() -> None:
    """They are in what is said to mend a limit."""
    tensors = (placed(HOSTILE, 0, 600, 0, 0),)
    findings = judge(profile(tensors=tensors), [limit("ram", 10, 4)])
    case = Case("net", "bench", Source(FILE, 3), PROFILE, findings)
    for format in CHECK_FORMATS:
        text = render_check(CheckResult((case,), False), format)
        assert "\x1b" not in text and "\u202e" not in text
    text = render_check(CheckResult((case,), False), "markdown")
    assert "<script" not in text.replace("\\<", "") and text.count("<!--") == 1
