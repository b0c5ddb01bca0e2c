"""pytest plugin: tests run models on emulated boards, and markers are budgets.

::

    @pytest.mark.tinysim_budget(latency="50 ms", flash="200 KiB")
    def test_keywords(tinysim):
        profile = tinysim.run("kws.tflite", "nano33ble")
        assert profile.fits

Keywords are the keys of ``[model.budget]``. All that the test has run is judged when its body is
through; a marker on the test beats one on its class or module, limit by limit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tinysim.budget import Case, Limit, Source
    from tinysim.simulator.profile import Profile

MARKER = "tinysim_budget"
STRICT = "--tinysim-strict"
HEADINGS = ("model", "board", "cycles", "latency", "ram", "flash", "verdict")
#: Name of a report's attribute: rows of text, so that they come through from other processes.
_ROWS = "tinysim_rows"


class Runner:
    """Runs models for one test; what was run before in the session is not run again.

    ``runs`` has every model, as the test named it, with its profile.
    """

    def __init__(self, known: dict[Any, Profile]) -> None:
        self._known = known
        self.runs: list[tuple[str, Profile]] = []

    def run(self, model: str | Path, board: Any, **options: Any) -> Profile:
        """Run a model as ``tinysim.run`` does."""
        import tinysim

        key = _key(Path(model), board, options)
        profile = self._known.get(key) if key else None
        if profile is None:
            profile = tinysim.run(model, board, **options)
            if key:
                self._known[key] = profile
        self.runs.append((str(model), profile))
        return profile


_KNOWN = pytest.StashKey[dict[Any, "Profile"]]()
_RUNNER = pytest.StashKey[Runner]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    parser.getgroup("tinysim").addoption(
        STRICT, action="store_true", help="let what may break a budget fail (inside the error band)"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Describe the marker."""
    what = "what each model that the test runs may cost, like latency='50 ms', flash='200 KiB'"
    config.addinivalue_line("markers", f"{MARKER}(**limits): {what}")


@pytest.fixture
def tinysim(request: pytest.FixtureRequest) -> Runner:
    """Run models on emulated boards: ``tinysim.run("model.tflite", "nano33ble")``."""
    runner = Runner(request.config.stash.setdefault(_KNOWN, {}))
    request.node.stash[_RUNNER] = runner
    return runner


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Judge what a test has run; a budget that cannot be read fails before anything runs."""
    marked = any(item.iter_markers(MARKER))
    limits = _limits(item) if marked else ()
    result = yield
    if marked:
        _judge(item, limits)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach what the test has run."""
    report = yield
    if call.when == "call" and (runner := item.stash.get(_RUNNER, None)):
        setattr(report, _ROWS, [_row(model, profile) for model, profile in runner.runs])
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tabulate everything that was run, once."""
    reports = (report for group in terminalreporter.stats.values() for report in group)
    rows = sorted({tuple(row) for report in reports for row in getattr(report, _ROWS, ())})
    if rows:
        widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
        terminalreporter.write_sep("=", "tinysim")
        for row in (HEADINGS, *rows):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            terminalreporter.write_line("  ".join(cells).rstrip())


def _limits(item: pytest.Item) -> tuple[Limit, ...]:
    """Read the markers of a test, the nearest last."""
    from tinysim.budget.keywords import read_keywords
    from tinysim.errors import BudgetError

    found, problems = {}, []
    for marker in reversed([*item.iter_markers(MARKER)]):
        if marker.args or not marker.kwargs:
            problems.append(f"{MARKER} takes keywords, like latency='50 ms'")
        try:
            found.update(read_keywords(marker.kwargs, _source(item)))
        except BudgetError as error:
            problems.append(str(error))
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)
    return tuple(found.values())


def _judge(item: pytest.Item, limits: tuple[Limit, ...]) -> None:
    """Fail with every limit that is broken, and what would mend it."""
    from tinysim.budget import CheckResult

    runner = item.stash.get(_RUNNER, None)
    if runner is None or not runner.runs:
        pytest.fail(f"{MARKER}: no model was run with the fixture `tinysim`", pytrace=False)
    cases = [_case(item, model, profile, limits) for model, profile in runner.runs]
    result = CheckResult(tuple(cases), is_strict=item.config.getoption(STRICT))
    lines = []
    for case, finding in result.broken():
        what = f"{finding.limit.name} {finding.verdict}: {finding.message}"
        lines.append(f"{case.model} on {case.board}: {what}")
        lines += [f"    fix: {fix}" for fix in finding.fixes]
    if lines:
        pytest.fail("\n".join(_printable(line) for line in dict.fromkeys(lines)), pytrace=False)


def _case(item: pytest.Item, model: str, profile: Profile, limits: tuple[Limit, ...]) -> Case:
    from tinysim.baseline.place import baseline_folder
    from tinysim.baseline.store import file_name, read_data
    from tinysim.budget import Case
    from tinysim.budget.judge import judge

    baseline = None
    if any(limit.metric == "regression" for limit in limits):
        path = baseline_folder(item.config.rootpath) / file_name(model, profile.board)
        baseline = read_data(path) if path.exists() else None
    findings = judge(profile, limits, baseline=baseline)
    return Case(model, profile.board, _source(item), profile, findings)


def _source(item: pytest.Item) -> Source:
    from tinysim.budget import Source

    file, line, _ = item.location
    return Source(Path(file), (line or 0) + 1)


def _row(model: str, profile: Profile) -> list[str]:
    """Return what stands under ``HEADINGS``."""
    from tinysim.report._table import si

    return [
        _printable(Path(model).name),
        profile.board,
        f"{profile.cycles:,}",
        si(profile.latency_s, "s"),
        f"{profile.used_bytes('ram'):,} B",
        f"{profile.used_bytes('flash'):,} B",
        profile.verdict,
    ]


def _printable(text: str) -> str:
    from tinysim.report._table import printable

    return printable(text)


def _key(model: Path, board: Any, options: dict[str, Any]) -> Any:
    """Return what makes two runs the same; None if that cannot be told (folders, arrays)."""
    try:
        content = hashlib.sha256(model.read_bytes()).hexdigest()
        key = (model.resolve(), content, board, tuple(sorted(options.items())))
        hash(key)
    except (OSError, TypeError):
        return None
    return key
