"""Repeats by several processes, with stages and samples of the lab's own."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="the lab needs TensorFlow: pip install tinysim[lab]")

from tinysim.lab.progress import Progress
from tinysim.lab.recipe_file import read_recipe
from tinysim.lab.run import run

REAL = """\
boards = ["nano33ble"]
repeats = 2

[data]
name = "noise"
channels = 1
each.size = [12, 16]

[model]
family = "lenet"
alpha = 0.125

[[stage]]
kind = "convert"
"""


def test_processes_side_by_side_find_the_same(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(REAL)
    recipe, told = read_recipe(tmp_path / "r.toml"), list[Progress]()
    rows = run(recipe, tmp_path / "one")
    assert run(recipe, tmp_path / "two", jobs=2, on_progress=told.append) == rows
    assert [row.chain[-1] for row in rows[:2]] == ["convert 12", "convert 16"]
    assert [row.values for row in rows[:2]] == [{"size": "12"}, {"size": "16"}]
    assert (rows[0].boards[0].ram_bytes or 0) < (rows[1].boards[0].ram_bytes or 0)
    assert {row.accuracy for row in rows} == {None}, "noise has no labels"
    assert "no accuracy" in (tmp_path / "one/table.md").read_text()
    assert not (tmp_path / "one/accuracy.svg").exists()
    assert "| convert 12 | nano33ble |" in (tmp_path / "one/table.md").read_text()
    assert told[-1] == Progress(1.0, "done", 0.0)
    assert not [*tmp_path.rglob("progress.json")]


def test_what_is_measured_on_no_board(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(REAL.replace("repeats = 2", "") + "boards = []")
    rows = run(read_recipe(tmp_path / "r.toml"), tmp_path / "out")
    assert {row.boards for row in rows} == {()}
    assert {path.name for path in (tmp_path / "out").glob("*.svg")} == {"size.svg"}
