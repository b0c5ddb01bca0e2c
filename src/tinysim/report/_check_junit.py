"""JUnit XML of a check: a suite a model on a board, a test case a limit.

A limit that is not kept is a failure; one that could not be judged, or a model that could not be
run, an error. Nothing is ever skipped: what may fail and is accepted passes, and says so.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from tinysim.budget import MAY_FAIL, UNKNOWN, Case, CheckResult, Finding
from tinysim.report._check_words import place
from tinysim.report._table import printable


def render_check(result: CheckResult) -> str:
    """Render as XML."""
    suites = [_suite(result, case) for case in result.cases]
    root = ET.Element("testsuites", {"name": "tinysim check", **_totals(suites)})
    root.extend(suites)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(result: CheckResult, case: Case) -> ET.Element:
    name = _clean(f"{case.model} on {case.board}")
    tests = [_test(name, _verdict(result, finding), finding) for finding in case.findings]
    if case.problem is not None:
        test = ET.Element("testcase", {"classname": name, "name": "runs"})
        _outcome(test, "error", "cannot be run", case.problem, place(case.source))
        tests.append(test)
    suite = ET.Element("testsuite", {"name": name, **_totals_of_tests(tests)})
    suite.extend(tests)
    return suite


def _verdict(result: CheckResult, finding: Finding) -> str | None:
    """Return the element that says how a test ended; None if it passed."""
    if finding.verdict == UNKNOWN:
        return "error"
    return "failure" if result.is_broken(finding) else None


def _test(suite: str, ending: str | None, finding: Finding) -> ET.Element:
    limit = finding.limit
    test = ET.Element("testcase", {"classname": suite, "name": _clean(limit.name)})
    where = place(limit.source)
    if ending is not None:
        _outcome(test, ending, finding.verdict, finding.message, where, *finding.fixes)
    elif finding.verdict == MAY_FAIL:
        ET.SubElement(test, "system-out").text = _clean(f"may fail: {finding.message}")
    return test


def _outcome(test: ET.Element, kind: str, type: str, message: str, *lines: str) -> None:
    element = ET.SubElement(test, kind, {"type": type, "message": _clean(message)})
    element.text = _clean("\n".join([message, *lines]))


def _totals_of_tests(tests: list[ET.Element]) -> dict[str, str]:
    count = {"tests": len(tests), "skipped": 0}
    count["failures"] = sum(test.find("failure") is not None for test in tests)
    count["errors"] = sum(test.find("error") is not None for test in tests)
    return {key: str(number) for key, number in count.items()}


def _totals(suites: list[ET.Element]) -> dict[str, str]:
    keys = ("tests", "skipped", "failures", "errors")
    return {key: str(sum(int(suite.attrib[key]) for suite in suites)) for key in keys}


def _clean(text: str) -> str:
    """Replace what XML cannot hold, or a viewer would act on."""
    return "\n".join(printable(line) for line in text.split("\n"))
