"""CI integrations, each run as its service runs it, on a sample project."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.conftest import DEMO_MODEL, ROOT

ACTION = ROOT / "integrations" / "github"
DEFINITION = yaml.safe_load((ACTION / "action.yml").read_text())
STEPS: list[dict[str, Any]] = DEFINITION["runs"]["steps"]
INPUTS: dict[str, dict[str, str]] = DEFINITION["inputs"]
GITLAB = ROOT / "integrations" / "gitlab" / "tinysim.yml"
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())

MARKER = "<!-- tinysim-check -->"
BOT = "github-actions[bot]"
HOSTILE = "a b'\"; touch pwned; $(touch pwned) `touch pwned` #\ntouch pwned"

BUDGET = """\
[[model]]
path = "net.tflite"
boards = ["rpi_pico"]
[model.budget]
latency = "{latency}"
"""

REAL = f'exec {shlex.quote(sys.executable)} -m tinysim "$@"'
#: Writes a report and ends as it is told to.
STUB = """
while [ $# -gt 0 ]; do
  case "$1" in
    --markdown) printf '%s\\n' "$REPORT" >"$2"; shift 2 ;;
    --*) shift 2 ;;
    *) shift ;;
  esac
done
echo '::error::a model that is named like a command'
exit "$STUB_EXIT_CODE"
"""

GH = f"""#!{sys.executable}
import json, os, pathlib, sys
folder = pathlib.Path(os.environ["GH_STATE"])
comments = json.loads((folder / "comments.json").read_text())
arguments = sys.argv[1:]
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
if (folder / "broken").exists():
    sys.exit("gh: Resource not accessible\\n::error::by integration (HTTP 403)")
assert os.environ["GH_TOKEN"] == "secret" and arguments[0] == "api"
if arguments[1] == "--paginate":
    assert arguments[2] == "repos/me/project/issues/7/comments?per_page=100"
    for comment in comments or [None]:  # a page each
        print(json.dumps([comment] if comment else []), end="")
else:
    _, _, method, address, _, payload = arguments
    text = json.loads(pathlib.Path(payload).read_text())["body"]
    if method == "POST":
        assert address == "repos/me/project/issues/7/comments"
        number = 1 + max([one["id"] for one in comments], default=100)
        comments.append({{"id": number, "body": text, "user": {{"login": "{BOT}"}}}})
    else:
        mine = next(one for one in comments if address.endswith(f"/issues/comments/{{one['id']}}"))
        mine["body"] = text
    (folder / "comments.json").write_text(json.dumps(comments))
"""


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if text.startswith("#!") else f"#!/usr/bin/env bash\n{text}")
    path.chmod(0o755)


def project(folder: Path, latency: str = "50 ms") -> Path:
    """Write a project of one model, with a budget."""
    folder.mkdir(exist_ok=True)
    shutil.copy(DEMO_MODEL, folder / "net.tflite")
    (folder / "tinysim.toml").write_text(BUDGET.format(latency=latency))
    return folder


@dataclass
class Runner:
    """A GitHub runner, as far as composite actions see one."""

    folder: Path
    tinysim: str = REAL
    extra: dict[str, str] = field(default_factory=dict)
    log: str = ""

    def __post_init__(self) -> None:
        self.workspace = project(self.folder / "workspace")
        self.bin = self.folder / "bin"
        for name in ("temp", "gh"):
            (self.folder / name).mkdir()
        program(self.bin / "tinysim", self.tinysim)
        program(self.bin / "gh", GH)
        self.comments = []
        self.event({"pull_request": {"number": 7}})

    @property
    def comments(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.folder / "gh/comments.json").read_text())
        return found

    @comments.setter
    def comments(self, comments: list[dict[str, Any]]) -> None:
        (self.folder / "gh" / "comments.json").write_text(json.dumps(comments))

    @property
    def calls(self) -> list[list[str]]:
        path = self.folder / "gh" / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def event(self, event: object) -> None:
        (self.folder / "event.json").write_text(json.dumps(event))

    def summary(self) -> str:
        return (self.folder / "GITHUB_STEP_SUMMARY").read_text()

    def run(self, *names: str, **inputs: str) -> int:
        """Run the steps (or only some) until one fails; return the exit code of the last one."""
        values = {name: one["default"] for name, one in INPUTS.items()}
        values["token"] = "secret"
        values |= {name.replace("_", "-"): value for name, value in inputs.items()}
        known = {f"inputs.{name}": value for name, value in values.items()}
        environment = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT / "src"),
            "GITHUB_ACTION_PATH": str(ACTION),
            "GITHUB_REPOSITORY": "me/project",
            "GITHUB_EVENT_PATH": str(self.folder / "event.json"),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "GH_STATE": str(self.folder / "gh"),
        } | self.extra
        (self.folder / "GITHUB_STEP_SUMMARY").write_text("")
        code = 0
        for step in STEPS:
            if names and step["name"] not in names:
                continue
            files = {name: self.folder / name for name in ("GITHUB_OUTPUT", "GITHUB_PATH")}
            for path in files.values():
                path.write_text("")
            files["GITHUB_STEP_SUMMARY"] = self.folder / "GITHUB_STEP_SUMMARY"
            script = self.folder / "step.sh"
            script.write_text(step["run"])
            result = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
                cwd=self.workspace,
                env=environment
                | {name: str(path) for name, path in files.items()}
                | {name: expand(str(text), known) for name, text in step["env"].items()},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            self.log += result.stdout
            for line in files["GITHUB_OUTPUT"].read_text().splitlines():
                name, _, value = line.partition("=")
                known[f"steps.{step['id']}.outputs.{name}"] = value
            for line in files["GITHUB_PATH"].read_text().splitlines():
                environment["PATH"] = f"{line}:{environment['PATH']}"
            code = result.returncode
            if code:
                break
        return code


def expand(text: str, known: Mapping[str, str]) -> str:
    """Fill expressions in, as text and once, as the service does."""
    return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", lambda found: known[found[1]], text)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


@pytest.fixture
def stubbed(tmp_path: Path) -> Runner:
    """A runner whose tinysim writes a report, and fails."""
    return Runner(tmp_path, STUB, {"REPORT": "### a report", "STUB_EXIT_CODE": "1"})


# --- GitHub


def test_inputs_never_become_part_of_scripts() -> None:
    assert [step["name"] for step in STEPS] == ["Install", "Check", "Comment", "Verdict"]
    for step in STEPS:
        assert step["shell"] == "bash" and "${{" not in step["run"]
    for script in ACTION.glob("*.sh"):
        assert "${{" not in script.read_text()
        subprocess.run(["bash", "-n", script], check=True)


def test_the_comment_is_made_once_and_then_updated(runner: Runner) -> None:
    runner.comments = [
        {"id": 1, "body": "looks good", "user": {"login": "you"}},
        {"id": 2, "body": f"{MARKER} all fine, trust me", "user": {"login": "somebody"}},
        {"id": 3, "body": MARKER, "user": None},
    ]
    before = runner.comments
    assert runner.run() == 0, runner.log
    assert runner.comments[:3] == before and len(runner.comments) == 4
    first = runner.comments[3]["body"]
    assert first.startswith(MARKER) and "passes" in first and "net.tflite" in first
    assert runner.summary().strip() == first.strip()
    report = runner.workspace / "tinysim-report"
    assert {path.name for path in report.iterdir()} == {
        f"check.{suffix}" for suffix in ("md", "xml", "sarif", "json", "log")
    }
    assert json.loads((report / "check.sarif").read_text())["version"] == "2.1.0"

    (runner.workspace / "tinysim.toml").write_text(BUDGET.format(latency="5 ms"))
    assert runner.run() == 1
    assert runner.comments[:3] == before and len(runner.comments) == 4
    assert "fails" in runner.comments[3]["body"] and "5 ms" in runner.comments[3]["body"]
    assert "fails" in runner.summary()
    methods = [call[2] for call in runner.calls if call[1] == "--method"]
    assert methods == ["POST", "PATCH"]


def test_a_file_that_cannot_be_read_is_said_in_the_comment(runner: Runner) -> None:
    assert runner.run() == 0  # leaves reports that must not be taken for new ones
    (runner.workspace / "tinysim.toml").write_text('[[model]]\npath = "`net`.tflite"\n')
    assert runner.run() == 2
    (comment,) = runner.comments
    assert "could not judge anything (exit code 2)" in comment["body"]
    assert "no board to check it on" in comment["body"]
    assert not (runner.workspace / "tinysim-report" / "check.xml").exists()


@pytest.mark.parametrize(
    "event", [{}, {"pull_request": None}, {"pull_request": {"number": "7; x"}}, [], "null"]
)
def test_without_a_pull_request_there_is_no_comment(event: object, stubbed: Runner) -> None:
    stubbed.event(event)
    assert stubbed.run() == 1
    assert stubbed.calls == [] and "a report" in stubbed.summary()


@pytest.mark.parametrize("inputs", [{"token": ""}, {"comment": "false"}])
def test_comments_can_be_declined(inputs: dict[str, str], stubbed: Runner) -> None:
    assert stubbed.run(**inputs) == 1
    assert stubbed.calls == []


def test_a_refused_comment_is_a_warning_and_the_verdict_stays(stubbed: Runner) -> None:
    (stubbed.folder / "gh" / "broken").touch()
    assert stubbed.run() == 1
    (warning,) = (line for line in stubbed.log.splitlines() if "::warning" in line)
    assert warning.endswith("gh: Resource not accessible%0A::error::by integration (HTTP 403)")
    assert "Traceback" not in stubbed.log


@pytest.mark.parametrize("answer", ["", "{}", "[{}]", '[{"user": 1}]', "<html>", "[[["])
def test_answers_of_another_shape_are_no_traceback(answer: str, stubbed: Runner) -> None:
    program(stubbed.bin / "gh", f"printf %s {shlex.quote(answer)}")
    assert stubbed.run() == 1
    assert "Traceback" not in stubbed.log
    assert ("::warning" in stubbed.log) == (answer not in ("", "{}"))


def test_no_gh_is_a_warning(stubbed: Runner) -> None:
    (stubbed.bin / "gh").unlink()
    stubbed.extra["PATH"] = str(stubbed.bin)
    for tool in ("bash", "env", "cat", "mkdir", "rm", "sed", "arm-none-eabi-gcc"):
        found = shutil.which(tool)
        assert found is not None
        (stubbed.bin / tool).symlink_to(found)
    python = stubbed.bin / "python3"  # the one on the path may be a script that needs more
    python.write_text(f'#!{stubbed.bin}/bash\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    assert stubbed.run() == 1
    assert "::warning title=tinysim::no comment: there is no `gh`" in stubbed.log


def test_long_reports_are_cut_to_what_a_comment_takes(stubbed: Runner) -> None:
    stubbed.extra["REPORT"] = "x" * 100_000
    assert stubbed.run() == 1
    (comment,) = stubbed.comments
    assert len(comment["body"]) <= 65_536 and comment["body"].endswith("summary.)\n")
    assert len(stubbed.summary()) > 100_000


def test_what_a_model_is_named_is_no_command_to_the_runner(stubbed: Runner) -> None:
    stubbed.run()
    lines = stubbed.log.splitlines()
    (stop,) = (line for line in lines if line.startswith("::stop-commands::"))
    resume = f"::{stop.removeprefix('::stop-commands::')}::"
    assert lines.index(stop) < lines.index("::error::a model that is named like a command")
    assert lines.index("::error::a model that is named like a command") < lines.index(resume)


@pytest.mark.parametrize("name", [name for name in INPUTS if name != "token"])
def test_hostile_inputs_are_only_text(name: str, stubbed: Runner, tmp_path: Path) -> None:
    program(stubbed.bin / "python3", FAKE_PYTHON)
    stubbed.run(**{name: HOSTILE})
    assert not list(tmp_path.rglob("pwned")), stubbed.log


#: Makes environments whose Python notes what it is asked for; else it is the real one.
FAKE_PYTHON = f"""
if [ "$1" = -m ]; then
  mkdir -p "$3/bin"
  printf '#!/usr/bin/env bash\\nprintf "%%s|" "$@" >"%s/asked"\\n' "$RUNNER_TEMP" >"$3/bin/python"
  printf '#!/usr/bin/env bash\\necho the installed one\\n' >"$3/bin/tinysim"
  chmod +x "$3/bin/"*
else
  exec {shlex.quote(sys.executable)} "$@"
fi
"""


@pytest.mark.parametrize(
    ("inputs", "requirement"),
    [
        ({"version": "1.2"}, "tinysim==1.2"),
        ({"version": "1.2", "extras": "onnx,keras"}, "tinysim[onnx,keras]==1.2"),
        ({"version": HOSTILE}, f"tinysim=={HOSTILE}"),
    ],
)
def test_a_version_is_installed_apart_from_the_job(
    inputs: dict[str, str], requirement: str, stubbed: Runner
) -> None:
    program(stubbed.bin / "python3", FAKE_PYTHON)
    stubbed.run("Install", "Check", **inputs)
    asked = (stubbed.folder / "temp" / "asked").read_text().split("|")
    assert asked[:3] == ["-m", "pip", "install"] and asked[-3:-1] == ["--", requirement]
    assert "the installed one" in stubbed.log
    (added,) = (stubbed.folder / "temp" / "tinysim-bin").iterdir()
    assert added.name == "tinysim"


def test_compiler_and_own_checkout_are_installed_where_they_are_missing(stubbed: Runner) -> None:
    program(stubbed.bin / "python3", FAKE_PYTHON)
    program(stubbed.bin / "apt-get", f'echo "$@" >>{shlex.quote(str(stubbed.folder / "apt"))}')
    program(stubbed.bin / "sudo", '"$@"')
    (stubbed.bin / "tinysim").unlink()
    stubbed.extra["PATH"] = str(stubbed.bin)
    for tool in ("bash", "env", "id", "mkdir", "chmod", "ln"):
        found = shutil.which(tool)
        assert found is not None
        (stubbed.bin / tool).symlink_to(found)
    assert stubbed.run("Install") == 0, stubbed.log
    update, install = (stubbed.folder / "apt").read_text().splitlines()
    assert update.startswith("update") and "gcc-arm-none-eabi" in install
    asked = (stubbed.folder / "temp" / "asked").read_text().split("|")
    assert asked[-2] == str(ROOT)


# --- GitLab


def gitlab_job(folder: Path, **inputs: str) -> tuple[int, dict[str, Any], str]:
    """Run the template's job in a project; return exit code, job and log."""
    header, template = yaml.safe_load_all(GITLAB.read_text())
    values = {name: one["default"] for name, one in header["spec"]["inputs"].items()} | inputs
    (job,) = template.values()
    variables = {
        name: re.sub(r"\$\[\[ inputs\.(\w+) \]\]", lambda found: values[found[1]], one["value"])
        for name, one in job["variables"].items()
    }
    assert all(one["expand"] is False for one in job["variables"].values())
    assert "$[[" not in "".join(job["script"])
    program(folder.parent / "bin" / "tinysim", REAL)
    result = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(job["script"])],
        cwd=folder,
        env={
            "PATH": f"{folder.parent / 'bin'}:{os.environ['PATH']}",
            "HOME": str(folder.parent),
            "PYTHONPATH": str(ROOT / "src"),
            **variables,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return result.returncode, job, result.stdout


@pytest.mark.parametrize(("latency", "code"), [("50 ms", 0), ("5 ms", 1)])
def test_gitlab_gets_a_report_that_its_merge_requests_show(
    latency: str, code: int, tmp_path: Path
) -> None:
    folder = project(tmp_path / "project", latency)
    ended, job, log = gitlab_job(folder)
    assert ended == code, log
    assert job["artifacts"]["when"] == "always"
    suite = ElementTree.parse(folder / job["artifacts"]["reports"]["junit"]).getroot()
    assert len([*suite.iter("testcase")]) >= 2
    assert bool([*suite.iter("failure")]) == bool(code)
    (kept,) = job["artifacts"]["paths"]
    names = {path.suffix for path in (folder / kept).iterdir()}
    assert names == {".xml", ".sarif", ".md", ".json"}


def test_gitlab_takes_another_file_and_hostile_ones_are_only_text(tmp_path: Path) -> None:
    folder = project(tmp_path / "project")
    (folder / "tinysim.toml").rename(folder / "-other.toml")
    assert gitlab_job(folder, file="-other.toml")[0] == 0
    assert gitlab_job(folder, file=HOSTILE)[0] == 2
    assert not list(tmp_path.rglob("pwned"))


# --- pre-commit


@pytest.mark.parametrize(("latency", "code"), [("50 ms", 0), ("5 ms", 1)])
def test_the_hook_ends_as_the_check_does(latency: str, code: int, tmp_path: Path) -> None:
    folder = project(tmp_path / "project", latency)
    program(tmp_path / "bin" / "tinysim", REAL)
    files = ["net.tflite", "tinysim.toml"] if HOOK.get("pass_filenames", True) else []
    result = subprocess.run(
        [*shlex.split(HOOK["entry"]), *HOOK.get("args", []), *files],
        cwd=folder,
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == code, result.stderr
    assert "rpi_pico" in result.stdout


def names_of_hook() -> Iterator[tuple[str, bool]]:
    for name in ("a/net.tflite", "net.onnx", "n.keras", "tinysim.toml", "sub/pyproject.toml"):
        yield name, True
    for name in ("net.tflite.md", "mytinysim.toml", "main.py", "tinysim.tomlx"):
        yield name, False


@pytest.mark.parametrize(("name", "is_meant"), [*names_of_hook()])
def test_the_hook_is_run_for_models_and_budgets(name: str, is_meant: bool) -> None:
    assert bool(re.search(HOOK["files"], name)) == is_meant
    assert HOOK["language"] == "python" and HOOK["id"] == "tinysim-check"


# --- the document


def test_the_document_uses_what_there_is() -> None:
    page = (ROOT / "docs" / "ci.md").read_text()
    github, gitlab, hooks = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    (job,) = github["jobs"].values()
    own, sarif = job["steps"][1:]
    assert own["uses"].split("@")[0].endswith(f"tinysim/{ACTION.relative_to(ROOT)}")
    assert own["with"].keys() <= INPUTS.keys()
    assert sarif["with"]["sarif_file"] == f"{INPUTS['output']['default']}/check.sarif"
    (include,) = gitlab["include"]
    assert (ROOT / include["file"]) == GITLAB
    header, _ = yaml.safe_load_all(GITLAB.read_text())
    assert include["inputs"].keys() <= header["spec"]["inputs"].keys()
    assert hooks["repos"][0]["hooks"] == [{"id": HOOK["id"]}]
    for name in INPUTS:
        assert f"`{name}`" in page
