"""The pytest plugin, in sessions of its own: what passes, what fails, and what is said."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.conftest import DEMO_MODEL, ROOT
from tinysim.compiler.toolchain import compiler_version

pytest_plugins = ["pytester"]

PLUGIN = "tinysim.pytest_plugin"
RUN = f"tinysim.run({str(DEMO_MODEL)!r}, 'nano33ble')"


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose tests run in a process of their own, with the plugin."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    pytester.makeini("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n")
    return pytester


def run(session: pytest.Pytester, test: str, *arguments: str) -> pytest.RunResult:
    session.makepyfile(f"import pytest\n{dedent(test)}")
    return session.runpytest_subprocess("-p", PLUGIN, *arguments)


def test_a_kept_budget_passes_and_the_profile_is_in_the_summary(session: pytest.Pytester) -> None:
    result = run(
        session,
        f"""
        @pytest.mark.tinysim_budget(latency="20 ms", flash="20 KiB", cycles=1_100_000_000)
        def test_fits(tinysim):
            profile = {RUN}
            assert profile.fits and profile.cycles == 1_024_306
        """,
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "*= tinysim =*",
            "model * verdict",
            "mnist_cnn_int8.tflite  nano33ble  1,024,306  16 ms    14,572 B  16,736 B  FITS",
        ]
    )


def test_every_broken_limit_fails_with_what_would_mend_it(session: pytest.Pytester) -> None:
    result = run(
        session,
        f"""
        @pytest.mark.tinysim_budget(latency="10 ms", flash="10 KiB", ram="1 MiB")
        def test_fits(tinysim):
            {RUN}
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*mnist_cnn_int8.tflite on nano33ble: latency fails: *over 10 ms by *",
            "    fix: *",
            "*mnist_cnn_int8.tflite on nano33ble: flash fails: 16,736 B, over *10,240 B by *",
            "    fix: *",
        ]
    )
    result.stdout.no_fnmatch_line("*on nano33ble: ram *")


def test_what_may_fail_fails_only_if_strict(session: pytest.Pytester) -> None:
    test = f"""
@pytest.mark.tinysim_budget(latency="17 ms")
def test_close(tinysim):
    {RUN}
"""
    run(session, test).assert_outcomes(passed=1)
    strict = run(session, test, "--tinysim-strict")
    strict.assert_outcomes(failed=1)
    strict.stdout.fnmatch_lines(["*nano33ble: latency may fail: *at worst over 17 ms*"])


def test_budgets_that_cannot_be_read_fail_all_at_once_before_anything_runs(
    session: pytest.Pytester,
) -> None:
    result = run(
        session,
        """
@pytest.mark.tinysim_budget(latancy="10 ms", ram="64 parsecs")
def test_wrong(tinysim):
    print("the body ran")

@pytest.mark.tinysim_budget("10 ms")
def test_no_keywords(tinysim):
    print("the body ran")
""",
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["*latancy: unknown, did you mean latency?*64 parsecs*", "*takes keywords*"]
    )
    result.stdout.no_fnmatch_line("the body ran")


def test_a_marker_on_a_test_that_runs_nothing_fails(session: pytest.Pytester) -> None:
    result = run(
        session,
        """
@pytest.mark.tinysim_budget(latency="10 ms")
def test_without_fixture():
    pass

@pytest.mark.tinysim_budget(latency="10 ms")
def test_without_run(tinysim):
    pass

@pytest.mark.tinysim_budget(latency="10 ms")
def test_skipped(tinysim):
    pytest.skip("not today")

def test_unmarked(tinysim):
    pass
""",
    )
    result.assert_outcomes(failed=2, skipped=1, passed=1)
    result.stdout.fnmatch_lines(["*no model was run with the fixture `tinysim`"])


def test_a_failing_body_is_not_judged_but_shown(session: pytest.Pytester) -> None:
    result = run(
        session,
        f"""
@pytest.mark.tinysim_budget(latency="1 ms")
def test_body(tinysim):
    assert {RUN}.cycles == 1

@pytest.mark.xfail(strict=True)
@pytest.mark.tinysim_budget(latency="1 ms")
def test_known(tinysim):
    {RUN}
""",
    )
    result.assert_outcomes(failed=1, xfailed=1)
    result.stdout.fnmatch_lines(["*assert 1024306 == 1", "mnist_cnn_int8.tflite  nano33ble *FITS"])
    result.stdout.no_fnmatch_line("*over 1 ms*")


def test_the_nearest_marker_wins_limit_by_limit(session: pytest.Pytester) -> None:
    result = run(
        session,
        f"""
@pytest.mark.tinysim_budget(latency="1 ms", stack="100 B")
class TestAll:
    @pytest.mark.tinysim_budget(latency="20 ms")
    def test_one(self, tinysim):
        {RUN}
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*: stack fails: 484 B, over 100 B by 384 B"])
    result.stdout.no_fnmatch_line("*: latency *")


def test_the_same_run_is_made_once_and_another_is_not(session: pytest.Pytester) -> None:
    result = run(
        session,
        f"""
import numpy

def test_first(tinysim):
    {RUN}
    {RUN}

def test_second(tinysim):
    assert {RUN} is {RUN}
    assert {RUN} is not {RUN[:-1]}, optimize="size")
    arrays = [numpy.zeros((1, 28, 28, 1), numpy.int8)]
    given = {RUN[:-1]}, inputs=arrays)
    assert given is not {RUN} and (given.inputs[0] == 0).all()
    assert [profile.fits for _, profile in tinysim.runs] == [True] * 6
""",
    )
    result.assert_outcomes(passed=2)


def test_a_regression_is_judged_by_the_stored_baseline(session: pytest.Pytester) -> None:
    test = f"""
@pytest.mark.tinysim_budget(regression={{"cycles": "0 cycles"}})
def test_cycles(tinysim):
    {RUN}
"""
    without = run(session, test)
    without.assert_outcomes(failed=1)
    without.stdout.fnmatch_lines(["*: regression* unknown: *no baseline*"])
    save = f"-m tinysim baseline save {DEMO_MODEL} -b nano33ble"
    subprocess.run([sys.executable, *save.split()], cwd=session.path, check=True)
    run(session, test).assert_outcomes(passed=1)
    (path,) = (session.path / ".tinysim" / "baseline").iterdir()
    path.write_text(path.read_text().replace("1024306", "1024305"))
    worse = run(session, test)
    worse.assert_outcomes(failed=1)
    worse.stdout.fnmatch_lines(["*fails: cycles *1,024,305 *1,024,306 *"])


def test_workers_report_their_profiles(session: pytest.Pytester) -> None:
    pytest.importorskip("xdist", reason="pytest-xdist is not here")
    result = run(session, f"def test_it(tinysim):\n    {RUN}\n", "-n1")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["mnist_cnn_int8.tflite  nano33ble *FITS"])


def test_the_document_shows_what_pytest_prints(session: pytest.Pytester) -> None:
    if "12.2.1 20221205" not in compiler_version():
        pytest.skip(f"the document was made with GCC 12.2.1, this is {compiler_version()}")
    (session.path / "examples").symlink_to(ROOT / "examples")
    page = (ROOT / "docs" / "ci.md").read_text()
    (test,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (shown,) = re.findall(r"```\n(_.*?)```", page, re.DOTALL)
    session.makepyfile(test)
    run_as_it_is = session.runpytest_subprocess("-p", PLUGIN)
    run_as_it_is.assert_outcomes(passed=2)
    strict = session.runpytest_subprocess("-p", PLUGIN, "--tinysim-strict")
    assert "\n".join(line.rstrip() for line in shown.splitlines()) in strict.stdout.str()


def installed(folder: Path) -> None:
    """Make the entry point known, as an installation does."""
    metadata = folder / "tinysim_plugin-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tinysim-plugin\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[pytest11]\n{PLUGIN} = {PLUGIN}\n")


@pytest.mark.parametrize("arguments", [[], ["-p", PLUGIN]], ids=["installed", "and named"])
def test_the_plugin_is_registered_once(
    arguments: list[str], session: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f'"{PLUGIN}" = "{PLUGIN}"' in (ROOT / "pyproject.toml").read_text()
    installed(session.mkdir("site"))
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}:{session.path / 'site'}")
    session.makeconftest(f"pytest_plugins = [{PLUGIN!r}]" if arguments else "")
    session.makepyfile("def test_it(tinysim):\n    assert tinysim.runs == []\n")
    session.runpytest_subprocess(*arguments).assert_outcomes(passed=1)


def test_starting_pytest_does_not_load_numpy(session: pytest.Pytester) -> None:
    result = run(
        session,
        """
import sys

def test_light(tinysim):
    assert "numpy" not in sys.modules and "rich" not in sys.modules
    assert "tinysim.api" not in sys.modules
""",
    )
    result.assert_outcomes(passed=1)
