"""Checking budgets: every case is judged, whatever becomes of the others."""

from __future__ import annotations

import os
import pickle
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinysim
from tests.conftest import DEMO, DEMO_MODEL
from tinysim.baseline.store import content, file_name
from tinysim.budget import FAILS, PASSES, UNKNOWN, Case, CheckResult
from tinysim.budget.settings import Settings, read_settings
from tinysim.check import accuracy, case, check, only
from tinysim.check.workers import work_on
from tinysim.errors import BudgetError, ToolchainError
from tinysim.report.json import as_data

BOARDS = ("nano33ble", "nucleo_g0b1re")
GREEN = """\
baseline = "baseline"

[[model]]
path = "digits.tflite"
boards = ["nano33ble", "nucleo_g0b1re"]
data = "digits.npz"

[model.budget]
latency = "100 ms"
flash = "64 KiB"
ram = "32 KiB"
accuracy = "70 %"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a model, samples, and budgets that it keeps."""
    (tmp_path / "digits.tflite").write_bytes(DEMO_MODEL.read_bytes())
    (tmp_path / "digits.npz").write_bytes((DEMO / "digits.npz").read_bytes())
    (tmp_path / "tinysim.toml").write_text(GREEN)
    return tmp_path


def settings_of(project: Path, *changes: tuple[str, str], more: str = "") -> Settings:
    """Write and read budgets that differ from the green ones."""
    text = GREEN
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (project / "tinysim.toml").write_text(text + more)
    return read_settings(project / "tinysim.toml")


def verdicts(result: CheckResult) -> list[dict[str, str]]:
    """What became of each metric, case by case."""
    return [{f.limit.metric: f.verdict for f in one.findings} for one in result.cases]


def message(result: CheckResult, metric: str) -> str:
    """What is said of a metric in the first case."""
    return next(f.message for f in result.cases[0].findings if f.limit.metric == metric)


def facts(result: CheckResult) -> list[Any]:
    """Everything that reports can show."""
    return [
        (replace(one, profile=None), None if one.profile is None else as_data(one.profile))
        for one in result.cases
    ]


# What a project is judged by


def test_a_project_that_keeps_its_budgets(project: Path) -> None:
    seen: list[Case] = []
    result = check(settings_of(project), jobs=1, on_case=seen.append)
    assert [(one.model, one.board) for one in result.cases] == [
        ("digits.tflite", b) for b in BOARDS
    ]
    assert (
        verdicts(result)
        == [dict.fromkeys(("fits", "latency", "ram", "flash", "accuracy"), PASSES)] * 2
    )
    assert result.exit_code == 0
    assert seen == list(result.cases)
    assert all(one.profile and one.profile.output_check.status == "exact" for one in seen)


def test_processes_find_what_one_process_finds(project: Path) -> None:
    settings = settings_of(
        project, ("100 ms", "20 ms"), more='[[model]]\npath = "gone"\nboards="all"'
    )
    seen: list[Case] = []
    alone = check(settings, jobs=1)
    shared = check(settings, jobs=3, on_case=seen.append)
    fresh = check(settings, jobs=2, use_cache=False)
    assert facts(alone) == facts(shared) == facts(fresh)
    assert sorted(seen, key=lambda one: (one.model, one.board)) == sorted(
        shared.cases, key=lambda one: (one.model, one.board)
    )
    assert not active_children()


@pytest.mark.parametrize(
    ("metric", "change"),
    [
        ("latency", ("100 ms", "10 ms")),
        ("flash", ("64 KiB", "8 KiB")),
        ("ram", ("32 KiB", "1 KiB")),
    ],
)
def test_a_budget_that_is_broken(project: Path, metric: str, change: tuple[str, str]) -> None:
    result = check(settings_of(project, change), jobs=1)
    for found in verdicts(result):
        assert {name for name, verdict in found.items() if verdict != PASSES} == {metric}
        assert found[metric] == FAILS
    assert result.exit_code == 1
    assert all(finding.fixes for _, finding in result.broken())


def test_a_model_that_changes_breaks_its_budget(project: Path) -> None:
    settings = settings_of(project, ("100 ms", "40 ms"), ('"nano33ble", ', ""))
    assert check(settings, jobs=1).exit_code == 1
    settings = settings_of(project, ("100 ms", "40 ms"), (', "nucleo_g0b1re"', ""))
    assert check(settings, jobs=1).exit_code == 0


def test_every_problem_is_its_case_s_own(project: Path) -> None:
    (project / "corrupt.tflite").write_bytes(DEMO_MODEL.read_bytes()[:-5000])
    (project / "text.npy").write_text("no array")
    rows = "".join(
        f'[[model]]\npath = "{path}"\nname = "{name}"\nboards = ["nano33ble"]\n{more}\n'
        for name, path, more in (
            ("corrupt", "corrupt.tflite", ""),
            ("missing", "missing.tflite", ""),
            ("input", "digits.tflite", 'input = "text.npy"'),
            ("inputs", "digits.tflite", 'input = ["a.npy", "b.npy"]'),
        )
    )
    result = check(settings_of(project, more=rows), jobs=2)
    problems = {one.model: one for one in result.cases if one.problem is not None}
    assert list(problems) == ["corrupt", "missing", "input", "inputs"]
    hints = {"corrupt": "corrupt.tflite: ", "missing": "No such file", "inputs": "a.npy"}
    for name, hint in {**hints, "input": "text.npy: not a readable array"}.items():
        assert hint in str(problems[name].problem)
        assert problems[name].problem_exit_code == 3
        assert problems[name].findings == () and problems[name].profile is None
    assert result.exit_code == 3
    assert [one.problem for one in result.cases[:2]] == [None, None]
    assert verdicts(result)[0]["latency"] == PASSES


def test_without_a_compiler_every_case_says_so(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*arguments: Any) -> Any:
        raise ToolchainError("not installed", where="gcc", fix="install it")

    monkeypatch.setattr("tinysim.firmware_cache.compiler_version", missing)
    result = check(settings_of(project), jobs=1)
    assert [one.problem for one in result.cases] == ["gcc: not installed; install it"] * 2
    assert result.exit_code == 4


@pytest.mark.parametrize(("error", "code"), [(ValueError("odd"), 70), (MemoryError(), 4)])
def test_what_nobody_expects_is_a_problem(
    project: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    real = tinysim.run_each

    def failing(model: Path, board: str, *arguments: Any, **options: Any) -> Any:
        if board == BOARDS[0]:
            raise error
        return real(model, board, *arguments, **options)

    monkeypatch.setattr(case, "run_each", failing)
    result = check(settings_of(project), jobs=1)
    assert result.cases[0].problem is not None and result.cases[1].problem is None
    assert "digits.tflite on nano33ble: " in result.cases[0].problem
    assert result.exit_code == code


def test_wrong_outputs_are_a_bug_of_ours(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tinysim.run_each

    def wrong(*arguments: Any, **options: Any) -> Iterator[Any]:
        for profile in real(*arguments, **options):
            check = replace(profile.output_check, status="mismatch")
            yield replace(profile, output_check=check)

    monkeypatch.setattr(case, "run_each", wrong)
    result = check(settings_of(project), jobs=1)
    assert "differs from the host's" in str(result.cases[0].problem)
    assert result.exit_code == 70


# Baselines


def save_baseline(project: Path, result: CheckResult) -> None:
    for one in result.cases:
        assert one.profile is not None
        place = project / "baseline" / file_name("digits.tflite", one.board)
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(content(one.profile))


def test_growth_over_a_baseline(project: Path) -> None:
    growing = ("ram =", 'regression = "1 %"\nram =')
    before = check(settings_of(project), jobs=1)
    missing = check(settings_of(project, growing), jobs=1)
    assert [found["regression"] for found in verdicts(missing)] == [UNKNOWN] * 2
    assert "digits@nano33ble.json: no baseline (No such file" in message(missing, "regression")
    assert missing.exit_code == 1
    save_baseline(project, before)
    assert check(settings_of(project, growing), jobs=1).exit_code == 0
    slower = ("boards =", 'optimize = "size"\nboards =')
    grown = check(settings_of(project, growing, slower), jobs=1)
    assert FAILS in [found["regression"] for found in verdicts(grown)]
    assert grown.exit_code == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"board": 3}', "[" * 100_000, "\udcff"])
def test_a_baseline_that_is_none(project: Path, text: str) -> None:
    settings = settings_of(
        project, ("ram =", 'regression = "1 %"\nram ='), (', "nucleo_g0b1re"', "")
    )
    (project / "baseline").mkdir()
    place = project / "baseline" / file_name("digits.tflite", "nano33ble")
    place.write_bytes(text.encode(errors="surrogateescape"))
    result = check(settings, jobs=1)
    assert verdicts(result)[0]["regression"] == UNKNOWN
    assert result.exit_code == 1


# Accuracy


def test_few_samples_run_on_the_board_and_many_on_the_host(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = only(settings_of(project), boards=BOARDS[:1])
    on_board = message(check(settings, jobs=1), "accuracy")
    assert on_board.startswith("100 (") and "% of 10 samples" in on_board
    assert on_board.endswith("all samples ran on the emulated board")
    monkeypatch.setattr(accuracy, "MOST_INSTRUCTIONS", 0)
    on_host = message(check(settings, jobs=1), "accuracy")
    assert on_host.endswith("the first 3 ran on the emulated board, too")
    assert on_host.split(";")[0] == on_board.split(";")[0]

    def refused(*arguments: Any) -> Any:
        raise AssertionError("the host's answer was kept")

    monkeypatch.setattr(accuracy, "_references", refused)
    assert message(check(settings, jobs=1), "accuracy") == on_host
    assert check(settings, jobs=1, use_cache=False).exit_code == 70


def test_wrong_classes_are_counted(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digits = np.load(DEMO / "digits.npz")
    classes = digits["y"].astype(np.int64)
    classes[:4] = (classes[:4] + 1) % 10
    np.savez(project / "digits.npz", x=digits["x"], y=classes[:, np.newaxis])
    settings = only(settings_of(project), boards=BOARDS[:1])
    for most in (accuracy.MOST_INSTRUCTIONS, 0):
        monkeypatch.setattr(accuracy, "MOST_INSTRUCTIONS", most)
        result = check(settings, jobs=1)
        assert message(result, "accuracy").startswith("60 (")
        assert verdicts(result)[0]["accuracy"] != PASSES


@pytest.mark.parametrize(
    ("arrays", "hint"),
    [
        ({"x": "x"}, "has no y"),
        ({"inputs": "x", "labels": "y"}, "has no x and no y"),
        ({"x": "x", "y": [1.0] * 10}, "not one whole number a sample"),
        ({"x": "x", "y": np.eye(10, dtype=int)}, "not one whole number a sample"),
        ({"x": "x", "y": [1, 2]}, "not one class a sample"),
        ({"x": np.zeros((0, 28, 28, 1), np.int8), "y": np.zeros(0, int)}, "not one class a sample"),
        ({"x": "x", "y": [10] * 10}, "not among the model's 10"),
        ({"x": "x", "y": [-1] * 10}, "not among the model's 10"),
        ({"x": np.zeros((2, 5), np.int8), "y": [1, 2]}, "does not go with"),
        ({"x": np.array([None] * 10), "y": "y"}, "not readable"),
    ],
)
def test_samples_that_cannot_be_used(project: Path, arrays: dict[str, Any], hint: str) -> None:
    digits = np.load(DEMO / "digits.npz")
    ready = {k: digits[v] if isinstance(v, str) else np.asarray(v) for k, v in arrays.items()}
    np.savez(project / "digits.npz", **ready)  # type: ignore[arg-type]
    result = check(only(settings_of(project), boards=BOARDS[:1]), jobs=1)
    assert hint in message(result, "accuracy")
    assert verdicts(result)[0] == {
        **dict.fromkeys(("fits", "latency", "ram", "flash"), PASSES), "accuracy": UNKNOWN,
    }  # fmt: skip
    assert result.exit_code == 1


@pytest.mark.parametrize("blob", [b"", b"no archive", pickle.dumps([1]), b"PK\x03\x04", None])
def test_samples_that_are_no_archive(project: Path, blob: bytes | None) -> None:
    (project / "digits.npz").unlink()
    if blob is not None:
        (project / "digits.npz").write_bytes(blob)
    result = check(only(settings_of(project), boards=BOARDS[:1]), jobs=1)
    assert verdicts(result)[0]["accuracy"] == UNKNOWN
    assert "digits.npz: " in message(result, "accuracy")


# Filters


def test_filters_leave_what_they_name(project: Path) -> None:
    settings = settings_of(project, more='[[model]]\npath = "b/two.tflite"\nboards = ["rpi_pico"]')

    def left(models: tuple[str, ...] = (), boards: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        return [(one.name, *one.boards) for one in only(settings, models, boards).models]

    first, second = ("digits.tflite", *BOARDS), ("b/two.tflite", "rpi_pico")
    assert left() == left(("*",), ("*",)) == [first, second]
    assert left(("digits",)) == left(("digits.tflite",)) == left(("dig*",)) == [first]
    assert left(("two",)) == left(("b/two.tflite",)) == left(boards=("rpi_*",)) == [second]
    assert left(boards=("nano33ble", "rpi_pico")) == [first[:2], second]
    for models, boards, hint in (
        (("three",), (), "nothing goes by three;"),
        (("two", "three"), (), "nothing goes by three;"),
        ((), ("nano",), "nothing goes by nano;"),
        (("two",), ("nano33ble",), "nothing goes by nano33ble, two;"),
    ):
        with pytest.raises(BudgetError, match=hint):
            only(settings, models, boards)


# Processes that die


def square(number: int) -> int:
    """Some are killed, crash or exit on the way."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 5:
        os.abort()
    if number == 7:
        os._exit(0)
    if number == 8:
        raise SystemExit(9)
    return number * number


def is_idle(seconds: float) -> float:
    """Take a while."""
    time.sleep(seconds)
    return seconds


def test_a_process_that_dies_is_one_answer() -> None:
    seen: list[int] = []
    answers = work_on(range(12), square, 3, lambda task, code: code - 1000, seen.append)
    ends = {3: -9, 5: -6, 7: 0, 8: 9}
    assert answers == [ends[n] - 1000 if n in ends else n * n for n in range(12)]
    assert sorted(seen) == sorted(answers)
    assert not active_children()


def test_whoever_stops_waiting_leaves_no_process() -> None:
    def stop(answer: float) -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        work_on([0.0, 60.0, 60.0, 60.0], is_idle, 2, lambda task, code: 0.0, stop)
    assert time.monotonic() - began < 30
    assert not active_children()


def test_a_killed_worker_is_one_problem(project: Path) -> None:
    settings = settings_of(
        project,
        (
            '["nano33ble", "nucleo_g0b1re"]',
            '["nano33ble", "generic_m0", "generic_m3", "generic_m4"]',
        ),
    )
    killed: list[int] = []

    def kill_one(done: Case) -> None:
        if not killed:
            victim = active_children()[0]
            killed.append(victim.pid or 0)
            victim.kill()

    result = check(settings, jobs=2, on_case=kill_one)
    problems = [one for one in result.cases if one.problem is not None]
    assert len(problems) <= 1  # none, if it was killed between two cases
    assert all("was ended by SIGKILL" in str(one.problem) for one in problems)
    assert result.exit_code in (0, 4)
    assert len(result.cases) == len(settings.models[0].boards)
