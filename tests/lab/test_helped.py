"""Two processes at one repeat: they meet, and find what one would have found."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="the lab needs TensorFlow: pip install tinysim[lab]")

from tinysim.lab.helped import from_behind, locked, unlocked
from tinysim.lab.progress import Clock
from tinysim.lab.recipe_file import read_recipe
from tinysim.lab.repeat import follow, help_along, steps
from tinysim.lab.run import run

ROOT = Path(__file__).parents[2]
BRANCHES = """\
boards = ["nano33ble"]
repeats = 3

[data]
name = "noise"
channels = 1
size = 12

[model]
family = "lenet"
alpha = 0.125

[[stage]]
kind = "convert"

[[stage]]
kind = "quantize"
name = "int8"
after = "model"

[[stage]]
kind = "sparse"
after = "int8"

[[stage]]
kind = "quantize"
name = "int16"
after = "model"
scheme = "int16x8"
"""


def test_the_last_places_come_first_but_behind_what_they_follow_from(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(BRANCHES)
    assert from_behind(read_recipe(tmp_path / "r.toml")) == (-1, 3, 1, 2, 0)


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("examples/**/*.toml")), ids=lambda path: path.name
)
def test_all_places_of_the_studies(path: Path) -> None:
    if "[[stage]]" not in path.read_text():
        pytest.skip("no recipe")
    if "[data]\npath" in path.read_text():
        pytest.skip("its samples are the user's")
    recipe = read_recipe(path, "full")
    found = from_behind(recipe)
    assert sorted(found) == sorted(recipe.places())
    for i, place in enumerate(found):
        assert place < 0 or recipe.stages[place].after in found[:i]


def test_processes_that_meet_find_the_same(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(BRANCHES)
    recipe = read_recipe(tmp_path / "r.toml")
    rows = run(recipe, tmp_path / "one")
    assert run(recipe, tmp_path / "two", jobs=2) == rows
    assert not [*tmp_path.rglob(".locks")]
    help_along(recipe, tmp_path / "two", 2)  # finds everything
    help_along(recipe, tmp_path / "helper", 1)
    made = {path.stat().st_mtime_ns for path in (tmp_path / "helper").rglob("*.json")}
    assert len(made) == 9, "a state for each place, and a row but for the first model"
    silent = Clock(steps(recipe), 1, lambda progress: None)
    found = follow(recipe, tmp_path / "helper", 1, silent, is_helped=True)
    assert found == rows[4:8]
    assert made == {path.stat().st_mtime_ns for path in (tmp_path / "helper").rglob("*.json")}


def test_a_place_belongs_to_one(tmp_path: Path) -> None:
    with locked(tmp_path, 3), locked(tmp_path, 4):
        (lock,) = tmp_path.rglob("3")
        with lock.open("w") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with lock.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    unlocked(tmp_path)
    assert not [*tmp_path.iterdir()]
