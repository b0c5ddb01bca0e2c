"""Following a recipe: whatever kills it, the next run ends with the same table."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="the lab needs TensorFlow: pip install tinysim[lab]")

from tests.conftest import ROOT
from tests.lab import fakes
from tinysim.errors import OutputError, RecipeError
from tinysim.lab.measure import Row
from tinysim.lab.progress import Clock, Progress
from tinysim.lab.recipe_file import read_recipe
from tinysim.lab.run import run
from tinysim.lab.stored import FILE_NAME
from tinysim.lab.told import together

#: Follows a recipe in a process of its own, with the fakes.
SCRIPT = """
import sys
from pathlib import Path
import tensorflow as tf
from tests.lab import fakes
from tinysim.lab.recipe_file import read_recipe
from tinysim.lab.run import run

tf.config.threading.set_inter_op_parallelism_threads(1)
tf.config.threading.set_intra_op_parallelism_threads(1)
folder = Path(sys.argv[1])
with fakes.installed(folder / "fakes"):
    run(read_recipe(folder / "digits.toml"), folder / sys.argv[2])
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a recipe that was followed to the end."""
    place = tmp_path_factory.mktemp("finished")
    (place / "digits.toml").write_text(fakes.recipe_text())
    with fakes.installed(place / "fakes"):
        follow(place)
        yield place


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of it: where it lies does not matter."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def follow(folder: Path, out: str = "out") -> tuple[Row, ...]:
    return run(read_recipe(folder / "digits.toml", "small"), folder / out)


def states(folder: Path, out: str = "out") -> dict[str, int]:
    """When each stage was done."""
    found = (folder / out).rglob(FILE_NAME)
    return {str(path.parent.relative_to(folder / out)): path.stat().st_mtime_ns for path in found}


def test_a_stage_says_how_its_model_is_compiled(tmp_path: Path) -> None:
    text = fakes.recipe_text().replace("repeats = 2", "repeats = 1")
    (tmp_path / "digits.toml").write_text(text + '\n[[stage]]\nkind = "tight"\nafter = "int8"\n')
    with fakes.installed(tmp_path / "fakes"):
        rows = follow(tmp_path)
        assert follow(tmp_path) == rows
    usual, tight = (next(r for r in rows if r.chain[-1] == name) for name in ("int8", "tight"))
    assert usual.tflite_bytes == tight.tflite_bytes
    assert (tight.boards[0].flash_bytes or 0) < (usual.boards[0].flash_bytes or 0)


def test_each_stage_has_a_folder_and_a_row(folder: Path) -> None:
    rows = follow(folder)
    assert [row.chain for row in rows] == [
        ("model", "grow"),
        ("model", "grow", "int8"),
        ("model", "grow", "more"),
    ]
    assert sorted(states(folder)) == ["1/00-model", "1/01-grow", "1/02-freeze", "1/03-grow"]
    assert rows[0].notes == {"epochs": "1"}


def test_progress_of_several_repeats() -> None:
    told = [Progress(0.5, "train", 10.0), Progress(0.25, "train", 30.0), None]
    found = together(told, jobs=2)
    assert (found.share, found.left_s) == (0.25, 30.0 + (20.0 + 40.0) / 2)
    assert found.what == "repeat 1: train; repeat 2: train"
    assert together([None, None], 2) == Progress(0.0, "", None)
    assert together([Progress(1.0, "done", 0.0), Progress(0.5, "qat", None)], 2).left_s is None


def test_threads_are_part_of_what_weights_follow_from(folder: Path) -> None:
    before = states(folder)
    recipe = folder / "digits.toml"
    recipe.write_text("threads = 2\n" + recipe.read_text())
    with pytest.raises(RecipeError, match="computes with 1 threads"):
        follow(folder)
    assert states(folder) == before


def test_nothing_is_done_twice(folder: Path) -> None:
    first, before = follow(folder), states(folder)
    assert (follow(folder), states(folder)) == (first, before)


def test_only_what_follows_from_a_change_is_done_again(folder: Path) -> None:
    follow(folder)
    before = states(folder)
    recipe = folder / "digits.toml"
    recipe.write_text(recipe.read_text().replace('name = "more"', 'name = "more"\nrate = 0.5'))
    follow(folder)
    after = states(folder)
    assert [place for place in before if before[place] != after[place]] == ["1/03-grow"]


def test_what_is_damaged_is_done_again(folder: Path) -> None:
    first = follow(folder)
    (folder / "out/1/01-grow/model.keras").write_bytes(b"")
    (folder / "out/1/02-freeze" / FILE_NAME).write_text("{")
    assert follow(folder) == first


def test_a_stage_makes_the_same_alone_as_in_a_row(folder: Path) -> None:
    first = follow(folder)
    (folder / "out/1/03-grow" / FILE_NAME).unlink()
    assert follow(folder) == first


def test_folders_of_others_are_left_alone(folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "mine/thesis.txt").write_text("")
    with pytest.raises(OutputError, match="holds other files"):
        follow(folder, "mine")
    (folder / "file").write_text("")
    with pytest.raises(OutputError):
        follow(folder, "file")


def test_two_runs_do_not_meet(folder: Path) -> None:
    recipe = read_recipe(folder / "digits.toml", "small")

    def again(progress: Progress) -> None:
        with pytest.raises(OutputError, match="another run"):
            run(recipe, folder / "out")

    run(recipe, folder / "out", on_progress=again)


def test_killed_at_any_moment_it_ends_with_the_same_table(folder: Path) -> None:
    recipe = folder / "digits.toml"
    recipe.write_text(fakes.recipe_text().replace("epochs = 3", 'epochs = 3\nhow = "slow"'))
    whole = run(read_recipe(recipe), folder / "whole")
    for done in (1, 3, 6):  # how many stages are whole when it is killed
        process = start(folder, "killed")
        while process.poll() is None and len(states(folder, "killed")) < done:
            time.sleep(0.005)
        time.sleep(0.02 * done)
        process.kill()
        assert process.wait(60) == -signal.SIGKILL
    assert done <= len(states(folder, "killed")) < 2 * 4
    assert run(read_recipe(recipe), folder / "killed") == whole
    assert {row.repeat for row in whole} == {0, 1}
    seeds = [(folder / f"whole/{i}/01-grow/epoch0.txt").read_text() for i in (1, 2)]
    assert seeds == ["1", "2"]


def start(folder: Path, out: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), out], cwd=ROOT, env=environment
    )


def test_time_left_is_what_it_took_before() -> None:
    now, told = [0.0], list[Progress]()
    clock = Clock(["train", "measure"], 2, told.append, now=lambda: now[0])
    clock.begin()
    assert told[-1] == Progress(0.0, "train", None)
    now[0] = 5.0
    clock.tell(0.5, "epoch 1")
    assert told[-1] == Progress(0.125, "train: epoch 1", 5.0 + 3 * 10.0)
    now[0] = 10.0
    clock.end()
    clock.begin()
    now[0] = 12.0
    clock.end()
    clock.begin()
    assert told[-1] == Progress(0.5, "train", 10.0 + 2.0)
    clock.end(took_s=20.0)
    clock.begin()
    clock.end()
    assert told[-1] == Progress(1.0, "done", 0.0)
