"""The file of budgets: what it means, and the line of everything that is wrong with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinysim.boards import board_names
from tinysim.budget import Limit
from tinysim.budget import settings as module
from tinysim.budget.settings import Settings, find_settings, read_settings
from tinysim.errors import BudgetError
from tinysim.toml_lines import find_lines

MODEL = '[[model]]\npath = "a.tflite"\nboards = "nano33ble"\n'


def written(tmp_path: Path, text: str, name: str = "tinysim.toml") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


def refusal(tmp_path: Path, text: str, name: str = "tinysim.toml") -> str:
    """Return what is said of a file that cannot be used, without the folder."""
    with pytest.raises(BudgetError) as caught:
        read_settings(written(tmp_path, text, name))
    assert caught.value.exit_code == 2
    return str(caught.value).replace(f"{tmp_path}/", "")


def limit(settings: Settings, metric: str, board: str = "nano33ble") -> Limit:
    """Return the one limit of a metric."""
    (found,) = [
        one for one in settings.models[0].limits_by_board[board] if one.metric == metric
    ]  # fmt: skip
    return found


def test_the_file_of_the_module_is_one(tmp_path: Path) -> None:
    """The shape that its documentation shows is read whole."""
    assert module.__doc__ is not None
    _, shown, _ = re.split(r"::\n|\nA later table", module.__doc__)
    read = read_settings(written(tmp_path, "\n".join(line[4:] for line in shown.splitlines())))
    (model,) = read.models
    assert read.baseline == tmp_path / "baseline" and not read.is_strict
    assert (model.name, model.path) == ("keywords", tmp_path / "kws.tflite")
    assert model.inputs == (tmp_path / "yes.npy",) and model.data == tmp_path / "test.npz"
    assert model.choices == {"optimize": "size", "planner": "search"}
    assert model.boards == ("nano33ble",)
    limits = {
        (one.metric, one.layers, one.of): (one.value, one.is_absolute)
        for one in model.limits_by_board["nano33ble"]
    }
    assert limits == {
        ("fits", None, None): (0, False),
        ("latency", None, None): (0.05, False),
        ("latency", "CONV*", None): (0.008, False),
        ("cycles", None, None): (2e6, False),
        ("cycles", "CONV*", None): (5e5, False),
        ("energy", None, None): (0.0012, False),
        ("energy", "CONV*", None): (0.0005, False),
        ("ram", None, None): (65536, False),
        ("arena", None, None): (49152, False),
        ("flash", None, None): (200_000, False),
        ("accuracy", None, None): (0.97, False),
        ("regression", None, None): (0.02, False),
        ("regression", None, "flash"): (512, True),
        ("regression", None, "cycles"): (0.01, False),
        ("headroom", None, None): (0.1, False),
    }


def test_later_tables_beat_earlier_ones(tmp_path: Path) -> None:
    everywhere = '[budget]\nlatency = "3 ms"\nram = 5\n'
    board = '[board.nano33ble.budget]\nlatency = "2 ms"\n'
    own = '[model.budget]\nlatency = "1 ms"\n'
    for text, latency_s, line in (
        (everywhere + MODEL, 0.003, 2),
        (everywhere + board + MODEL, 0.002, 5),
        (everywhere + board + MODEL + own, 0.001, 10),
    ):
        read = read_settings(written(tmp_path, text))
        found = limit(read, "latency")
        assert (found.value, found.source.line) == (latency_s, line)
        assert limit(read, "ram").value == 5
    both = MODEL.replace('"nano33ble"', '["nano33ble", "rpi_pico"]')
    read = read_settings(written(tmp_path, everywhere + board + both))
    assert limit(read, "latency", "rpi_pico").value == 0.003


def test_limits_keep_what_was_written_and_where(tmp_path: Path) -> None:
    path = written(tmp_path, MODEL + 'budget.flash = "0.5 MiB"\n')
    found = limit(read_settings(path), "flash")
    assert (found.text, found.source.file, found.source.line) == ("0.5 MiB", path, 4)


def test_all_boards(tmp_path: Path) -> None:
    text = MODEL.replace('"nano33ble"', '"all"')
    (model,) = read_settings(written(tmp_path, text)).models
    assert model.boards == board_names() and set(model.limits_by_board) == set(board_names())
    assert model.name == "a.tflite"


def test_choices_are_arguments_of_run(tmp_path: Path) -> None:
    text = 'planner = "greedy"\ntune = true\n' + MODEL
    text += "fidelity = 2\npatches = true\nkeep-constant-channels = true\ntune = false\n"
    text += 'rounding = "litert"\n'
    (model,) = read_settings(written(tmp_path, text)).models
    assert model.choices == {
        "planner": "greedy",
        "tune": False,
        "fidelity": 2,
        "patches": True,
        "keeps_constant_channels": True,
        "rounding": "litert",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("strict = 1\n" + MODEL, "tinysim.toml:1: strict: 1 is neither true nor false"),
        ("stirct = true\n" + MODEL, "tinysim.toml:1: stirct: unknown, did you mean strict?"),
        ("", "tinysim.toml:1: nothing to check; write a [[model]]"),
        ("\nmodel = 3", "tinysim.toml:2: model: nothing to check"),
        ("\nmodel = [3]", "tinysim.toml:2: model[1]: 3 is no table"),
        ("[[model]]\nboards = 'all'", "tinysim.toml:1: model[1]: has no path"),
        ("[[model]]\npath = 3\nboards = 'all'", ":2: model[1].path: 3 is no path"),
        ("[[model]]\npath = ' '\nboards = 'all'", ":2: model[1].path: ' ' is no path"),
        ("[[model]]\npath = 'a'", "tinysim.toml:1: model[1].boards: no board to check it on"),
        ("[[model]]\npath = 'a'\nboards = []", ":3: model[1].boards: no board"),
        (
            "[[model]]\npath = 'a'\nboards = [\n'nano33ble',\n'nano33bel',\n]",
            ":5: model[1].boards[2]: no such board, did you mean nano33ble",
        ),
        ("[[model]]\npath = 'a'\nboards = 3", ":3: model[1].boards: no such board, known: "),
        (MODEL + "input = ['x', 3]", ":4: model[1].input: ['x', 3] is no path, nor a list"),
        (MODEL + "data = ['x']", ":4: model[1].data: ['x'] is no path"),
        (MODEL + "name = ''", ":4: model[1].name: '' is no name"),
        (MODEL + "optimise = 'size'", ":4: model[1].optimise: unknown, did you mean optimize?"),
        (MODEL + "optimize = 'fast'", ":4: model[1].optimize: 'fast' is not known, known: speed"),
        (MODEL + "fidelity = true", ":4: model[1].fidelity: True is not known, known: 1, 2, 3"),
        (MODEL + "tune = 1", ":4: model[1].tune: 1 is not known, known: true, false"),
        (MODEL + "\n" + MODEL, ":5: model[2]: a.tflite on nano33ble is model[1], too; give it a"),
        ("baseline = 1\n" + MODEL, ":1: baseline: 1 is no path"),
        ("budget = 1\n" + MODEL, ":1: budget: 1 is no table"),
        (MODEL + "[model.budget]\nlatencyy = '1 s'", ":5: model[1].budget.latencyy: unknown, did"),
        (MODEL + "[model.budget]\nlatency = '1'", ":5: model[1].budget.latency: '1' has no unit"),
        (MODEL + "[model.budget]\nram = -1", ":5: model[1].budget.ram: -1 is negative"),
        (MODEL + "[model.budget]\nram = nan", ":5: model[1].budget.ram: nan is no number"),
        (MODEL + "[model.budget]\nfits = true", ":5: model[1].budget.fits: is judged without"),
        (MODEL + "[model.budget]\nlayers = 1", ":5: model[1].budget.layers: 1 is no table"),
        (
            MODEL + "[model.budget.layers]\n'*' = {}",
            ":5: model[1].budget.layers.*: limits nothing; give latency or cycles or energy",
        ),
        (
            MODEL + "[model.budget.layers]\n'*' = { ram = '1 B' }",
            ":5: model[1].budget.layers.*.ram: unknown, known: latency, cycles, energy",
        ),
        (
            MODEL + "[model.budget.regression]\nheadroom = '1 %'",
            ":5: model[1].budget.regression.headroom: unknown, known: latency, cycles",
        ),
        (
            MODEL + "[model.budget.regression]\nflash = '1 ms'",
            ":5: model[1].budget.regression.flash: '1 ms' has the unit ms; write it like 64 KiB",
        ),
        (
            MODEL + "[model.budget.regression]\nflash = 0.02",
            ":5: model[1].budget.regression.flash: 0.02 is neither a share, like 2 %, nor an",
        ),
        (MODEL + "[board.nano33bl.budget]", ":4: board.nano33bl: no such board, did you mean"),
        (MODEL + "[board.nano33ble]\nram = 1", ":5: board.nano33ble.ram: unknown, known: budget"),
        (MODEL + "board = 3", ":4: model[1].board: unknown, did you mean boards?"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(tmp_path, text)


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    text = 'strict = 1\n[budget]\nram = "x"\n[[model]]\npath = 1\nboards = ["no"]\nq = 1\n'
    said = refusal(tmp_path, text)
    assert said.startswith("tinysim.toml: 5 problems\n  tinysim.toml:1: strict")
    assert [int(line) for line in re.findall(r"toml:(\d+):", said)] == [1, 3, 5, 6, 7]
    assert said.endswith("; mend the file; nothing was checked")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (b"a = \nb = 1\n", ":1: not TOML: Invalid value"),
        (b"a = 1\na = 2\n", ":2: not TOML: Cannot overwrite a value"),
        (b"\xff", ": not TOML: 'utf-8' codec"),
        (b"a = " + b"9" * 5000, ": not TOML: Exceeds the limit"),
        (b"a = " + b"[" * 100_000, ": not TOML: "),
    ],
)
def test_what_is_no_toml(tmp_path: Path, text: bytes, where: str) -> None:
    path = tmp_path / "tinysim.toml"
    path.write_bytes(text)
    with pytest.raises(BudgetError) as caught:
        read_settings(path)
    assert f"{path}{where}" in str(caught.value)


def test_keys_cannot_steer_the_terminal(tmp_path: Path) -> None:
    said = refusal(tmp_path, MODEL + '"\\u001b[31m" = "\\u001b"')
    assert "\x1b" not in said and "?[31m: unknown" in said


def test_a_table_of_pyproject(tmp_path: Path) -> None:
    text = '[project]\nname = "x"\n[tool.other]\nstrict = 3\n[tool.tinysim]\nstrict = true\n'
    body = MODEL.replace("[[model]]", "[[tool.tinysim.model]]")
    path = written(tmp_path, text + body + "budget.ram = 7\n", "pyproject.toml")
    read = read_settings(path)
    assert read.is_strict and limit(read, "ram").source.line == 10
    assert read.models[0].source.line == 7
    said = refusal(tmp_path, text + body + "budget.ram = -7\n", "pyproject.toml")
    assert "pyproject.toml:10: model[1].budget.ram: -7 is negative" in said
    assert "no [tool.tinysim] in it" in refusal(tmp_path, "[tool.x]\n", "pyproject.toml")
    assert "no [tool.tinysim] in it" in refusal(tmp_path, "tool = 3\n", "pyproject.toml")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match=r"none.toml: cannot be read \(No such file"):
        read_settings(tmp_path / "none.toml")


def test_finding_the_file(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    with pytest.raises(BudgetError, match=r"no tinysim\.toml, nor a pyproject\.toml with"):
        find_settings(tmp_path)
    pyproject = written(tmp_path, "[tool.x]\n", "pyproject.toml")
    with pytest.raises(BudgetError, match=r"nor a pyproject\.toml"):
        find_settings(tmp_path)
    written(tmp_path, "[tool.tinysim]\n", "pyproject.toml")
    assert find_settings(tmp_path) == pyproject
    own = written(tmp_path, "")
    assert find_settings(tmp_path) == own
    with pytest.raises(BudgetError):
        find_settings(inner)


def test_a_broken_pyproject_is_found_to_be_complained_of(tmp_path: Path) -> None:
    path = written(tmp_path, "[tool", "pyproject.toml")
    assert find_settings(tmp_path) == path
    with pytest.raises(BudgetError, match="not TOML"):
        read_settings(path)


class Writer:
    """Writes TOML in which every value that counts is a number of its own."""

    def __init__(self, draw: Any) -> None:
        self.draw, self.number = draw, 100_000

    def one(self) -> str:
        self.number += 1
        return str(self.number)

    def pick(self, *choices: str) -> str:
        chosen: str = self.draw(st.sampled_from(choices))
        return chosen

    def key(self) -> str:
        name = self.one()
        shapes = ("k{}", "'k {}]= #'", '"k\\u0041{} \\" = ["', "d{}.e", "'a.b'.\"c{}\" . d")
        return self.pick(*shapes).format(name)

    def blank(self) -> str:
        return self.pick("", "", "\n", " # [x] = { 1\n", "\t\n\n")

    def value(self, depth: int = 0) -> str:
        kinds = ["number"] * 3 + ["text"] * 2 + (["array", "table"] if depth < 3 else [])
        match self.pick(*kinds):
            case "text":
                return self.pick(
                    '"# [a]\\" = "',
                    "'[[b]]\\'",
                    '"""\n[c]\n"" \\""" d = 1\n"""""',
                    "'''\n[e] # \\\n'''''",
                    "1979-05-27 07:32:00",
                    "-inf",
                )
            case "array":
                inside = [
                    self.blank() + self.value(depth + 1) + self.blank()
                    for _ in range(self.draw(st.integers(0, 3)))
                ]
                return "[" + ",".join(inside) + self.blank() + "]"
            case "table":
                inside = [
                    f"{self.key()} = {self.value(depth + 1)}"
                    for _ in range(self.draw(st.integers(0, 3)))
                ]
                return "{" + ", ".join(inside) + "}"
        return self.one()

    def assignments(self) -> str:
        count = self.draw(st.integers(0, 3))
        lines = (
            f"{self.blank()}{self.key()} = {self.value()}{self.pick('', ' # ]')}\n"
            for _ in range(count)
        )
        return "".join(lines)

    def document(self) -> str:
        parts = [self.assignments()]
        for _ in range(self.draw(st.integers(0, 6))):
            own = f"t{self.one()}"
            headers = [f"[{own}]", f"[ {own} . x ]", "[[many]]"]
            if any("[[many]]" in part for part in parts):
                headers += ["[[many.inner]]", f"[many.{own}]", f"[many.'{own} ]'.y]"]
            parts.append(f"{self.pick(*headers)}{self.pick('', ' # z')}\n{self.assignments()}")
        return "".join(parts)


@st.composite
def documents(draw: Any) -> str:
    return Writer(draw).document()


def numbers(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[Any, int]]:
    """Return every number in a document with its path."""
    if isinstance(value, dict):
        return [one for key, inner in value.items() for one in numbers(inner, (*path, key))]
    if isinstance(value, list):
        return [one for i, inner in enumerate(value) for one in numbers(inner, (*path, i))]
    return [(path, value)] if isinstance(value, int) else []


@settings(max_examples=300, deadline=None)
@given(text=documents())
def test_every_key_is_found_in_its_line(text: str) -> None:
    """Each number of a document stands but once in it: in the line that its path has."""
    lines = find_lines(text)
    shown = text.split("\n")
    for path, number in numbers(tomllib.loads(text)):
        assert str(number) in shown[lines[path] - 1], path
