"""``tinysim check``: exit codes, reports, runs at the same time, and runs that are killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import DEMO_MODEL, ROOT
from tests.test_cli import failure
from tests.test_cli import tinysim as command
from tinysim.budget import METRICS
from tinysim.budget.settings import _MODEL_KEYS, _TOP_KEYS, read_settings
from tinysim.firmware import Firmware
from tinysim.firmware_cache import CACHE
from tinysim.records import loads

GREEN = """\
[[model]]
path = "digits.tflite"
boards = ["nano33ble", "nucleo_g0b1re"]

[model.budget]
latency = "100 ms"
flash = "64 KiB"
"""
REPORTS = ("junit", "sarif", "markdown", "json")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a model and budgets that it keeps."""
    (tmp_path / "digits.tflite").write_bytes(DEMO_MODEL.read_bytes())
    (tmp_path / "tinysim.toml").write_text(GREEN)
    return tmp_path


def checked(project: Path) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """Check with all reports; return what they say."""
    options = [text for name in REPORTS for text in (f"--{name}", str(project / f"out.{name}"))]
    result = command("check", project, *options)
    assert "Traceback" not in result.stderr
    return result, {name: (project / f"out.{name}").read_text() for name in REPORTS}


def test_green(project: Path) -> None:
    result, reports = checked(project)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("passes") == 2 * 3 + 1
    assert "\x1b[" not in result.stdout
    suites = ElementTree.fromstring(reports["junit"])
    assert (suites.get("tests"), suites.get("failures"), suites.get("errors")) == ("6", "0", "0")
    assert json.loads(reports["sarif"])["runs"][0]["results"] == []
    assert "passes" in reports["markdown"]
    assert json.loads(reports["json"])["exit_code"] == 0


@pytest.mark.parametrize(
    ("old", "new", "metric", "line", "boards"),
    [
        ("100 ms", "20 ms", "latency", 6, ["nucleo_g0b1re"]),
        ("64 KiB", "8 KiB", "flash", 7, ["nano33ble", "nucleo_g0b1re"]),
    ],
)
def test_a_broken_budget_fails_in_every_report(
    project: Path, old: str, new: str, metric: str, line: int, boards: list[str]
) -> None:
    (project / "tinysim.toml").write_text(GREEN.replace(old, new))
    result, reports = checked(project)
    assert result.returncode == 1
    assert result.stdout.count(f"  {metric} fails: ") == len(boards)
    assert f"tinysim.toml:{line}: " in result.stdout
    suites = ElementTree.fromstring(reports["junit"])
    failed = [case for case in suites.iter("testcase") if case.find("failure") is not None]
    assert [case.get("name") for case in failed] == [metric] * len(boards)
    assert suites.get("errors") == "0"
    found = json.loads(reports["sarif"])["runs"][0]["results"]
    assert len(found) == len(boards)
    for one, board in zip(found, boards, strict=True):
        assert one["level"] == "error" and board in one["message"]["text"]
        place = one["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"].endswith("tinysim.toml")
        assert place["region"]["startLine"] == line
    assert "fails" in reports["markdown"]
    assert json.loads(reports["json"])["exit_code"] == 1


def test_a_corrupt_model_is_a_problem_in_every_report(project: Path) -> None:
    (project / "digits.tflite").write_bytes(DEMO_MODEL.read_bytes()[:-5000])
    result, reports = checked(project)
    assert result.returncode == 3
    assert "not run" in result.stdout and "digits.tflite: " in result.stdout
    suites = ElementTree.fromstring(reports["junit"])
    assert (suites.get("tests"), suites.get("failures"), suites.get("errors")) == ("2", "0", "2")
    found = json.loads(reports["sarif"])["runs"][0]["results"]
    assert [one["level"] for one in found] == ["error", "error"]
    assert "digits.tflite: " in reports["markdown"]
    assert json.loads(reports["json"])["exit_code"] == 3


def test_a_missing_baseline_fails_in_every_report(project: Path) -> None:
    (project / "tinysim.toml").write_text(GREEN + 'regression = "2 %"\n')
    result, reports = checked(project)
    assert result.returncode == 1
    assert "no baseline" in result.stdout
    suites = ElementTree.fromstring(reports["junit"])
    assert suites.get("errors") == "2"  # it is not known, which is no failure of the model
    assert len(json.loads(reports["sarif"])["runs"][0]["results"]) == 2
    assert "no baseline" in reports["markdown"]
    save = subprocess.run(
        [sys.executable, "-m", "tinysim", "baseline", "save"],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert save.returncode == 0, save.stderr
    assert checked(project)[0].returncode == 0


def test_strictness_is_the_command_s_to_say(project: Path) -> None:
    arguments = ("check", project, "--board", "nucleo_g0b1re")
    (project / "tinysim.toml").write_text(GREEN.replace("100 ms", "52 ms"))  # inside the band
    assert command(*arguments).returncode == 0
    assert command(*arguments, "--strict").returncode == 1
    text = GREEN.replace("100 ms", "52 ms")
    (project / "tinysim.toml").write_text("strict = true\n" + text)
    assert command(*arguments).returncode == 1
    assert command(*arguments, "--no-strict").returncode == 0


def test_what_is_printed(project: Path) -> None:
    (project / "pyproject.toml").write_text(
        GREEN.replace("[[model]]", "[[tool.tinysim.model]]").replace(
            "[model.", "[tool.tinysim.model."
        )
    )
    (project / "tinysim.toml").unlink()
    xml = command("check", project / "pyproject.toml", "--format", "junit")
    assert ElementTree.fromstring(xml.stdout).tag == "testsuites"
    assert (
        command("check", project, "--junit", "-").stdout
        == command("check", project, "--format", "junit").stdout
    )


def test_what_cannot_be_meant_is_refused_at_once(project: Path, tmp_path: Path) -> None:
    for arguments, code, hint in (
        (["--model", "other"], 2, "nothing goes by other"),
        (["--board", "rpi_*"], 2, "nothing goes by rpi_*"),
        (["--format", "nonsense"], 2, "--format is text, json"),
        (["--junit", "-", "--json", "-"], 2, "only one report"),
        (["--junit", str(tmp_path)], 2, "give the name of a file"),
        (["--junit", "gone/a", "--sarif", "lost/b"], 4, "gone, lost: no folder"),
        (["--jobs", "0"], 2, "--jobs"),
    ):
        found, complaint = failure("check", project, *arguments)
        assert (found, hint in complaint) == (code, True), complaint
    for text, hint in (("[[model]]\npath = 3", "tinysim.toml:2: "), ("{", "not TOML")):
        (project / "tinysim.toml").write_text(text)
        found, complaint = failure("check", project)
        assert (found, hint in complaint) == (2, True), complaint
    assert failure("check", project / "gone.toml")[0] == 2
    (project / "tinysim.toml").unlink()
    assert failure("check", project)[0] == 2


def test_the_example_is_green() -> None:
    result = command("check", ROOT / "examples" / "budget")
    assert result.returncode == 0, result.stdout + result.stderr


# Several runs, and killed ones


def start(project: Path, place: Path) -> subprocess.Popen[str]:
    """Begin a check with a cache of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tinysim", "check", project, "--format", "json", "--jobs", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "XDG_CACHE_HOME": str(place)},
    )  # fmt: skip


def members(session: int) -> list[int]:
    """Return the processes of a session that have not ended."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                state, _, _, of = (path / "stat").read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(of) == session and state != "Z":
                found.append(int(path.name))
    return found


def finish(run: subprocess.Popen[str]) -> str:
    """Return what a check printed."""
    printed, complaint = run.communicate(timeout=300)
    assert (run.returncode, complaint) == (0, "")
    return printed


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["the parent", "all"])
def test_checks_that_are_killed_do_no_harm(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whom: str
) -> None:
    began = time.monotonic()
    wanted = finish(start(project, tmp_path / "other"))
    duration_s = time.monotonic() - began
    place = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    for share in (0.35, 0.6, 0.85):
        run = start(project, place)
        time.sleep(share * duration_s)
        if whom == "all":
            os.killpg(run.pid, signal.SIGKILL)
        else:
            run.kill()
        run.communicate()
        deadline = time.monotonic() + 60
        while members(run.pid):  # workers whose parent is gone end by themselves
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert finish(start(project, place)) == wanted
        entries = [path for path in (CACHE.folder or place).iterdir() if path.name[0] != "."]
        assert len(entries) == 2
        for path in entries:
            assert loads(Firmware, CACHE.read(path.name) or b"").model_name == "digits.tflite"
            path.unlink()


@pytest.mark.slow
def test_checks_at_the_same_time_agree(project: Path, tmp_path: Path) -> None:
    first, second = (start(project, tmp_path / "cache") for _ in range(2))
    assert finish(first) == finish(second) == finish(start(project, tmp_path / "cache"))


# The document


def test_the_document_names_every_key(project: Path) -> None:
    text = (ROOT / "docs" / "check.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    keys = {*METRICS, *_TOP_KEYS, *_MODEL_KEYS} - {"fits"}
    for key in keys:
        assert re.search(rf"^{key} = |^\[\[?{key}[].]|\.{key}[].]", example, re.MULTILINE), key
    (project / "tinysim.toml").write_text(example)
    (model,) = read_settings(project / "tinysim.toml").models
    limits = model.limits_by_board["nano33ble"]
    assert {limit.metric for limit in limits} == set(METRICS)
    assert f"{CACHE.most_entries:,} entries or {CACHE.most_bytes >> 20} MiB" in text
