"""The recipes that come with tinysim can be followed."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="the lab needs TensorFlow: pip install tinysim[lab]")

from tests.conftest import ROOT, SHARED
from tinysim.lab.recipe import MODES
from tinysim.lab.recipe_file import read_recipe

RECIPES = sorted(
    path
    for path in (ROOT / "examples").rglob("*.toml")
    if "stage" in tomllib.loads(path.read_text())
)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_right(path: Path, mode: str, tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"")
    is_of_users = "path" in tomllib.loads(path.read_text())["data"]
    recipe = read_recipe(path, mode, tmp_path / "x.npz" if is_of_users else None)
    assert recipe.stages
    assert recipe.published or mode == "small" or "published" not in path.read_text()


#: What studies are tried with that do not bring samples: the recipe's name -> a file.
SAMPLES = {
    "alexnet": "cifar10_train2k.npz",
    "deep_compression": "mnist.npz",
    "distillation": "mnist.npz",
    "lenet": "mnist.npz",
    "lenet_heuristics": "mnist.npz",
    "mobilenet_v2": "",
    "resnet": "cifar10_train2k.npz",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_studies_in_little_time(name: str, tmp_path: Path) -> None:
    (recipe,) = (path for path in RECIPES if path.stem == name)
    given = []
    if file := SAMPLES[name]:
        if not (SHARED / "datasets" / file).exists():
            pytest.skip(f"{file} is not here")
        given = ["--data", str(SHARED / "datasets" / file)]
    command = [sys.executable, "-m", "tinysim", "lab", "run", str(recipe), "--mode", "small"]
    done = subprocess.run(
        [*command, *given, "--out", str(tmp_path / "out")],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "out/table.md").read_text()
    assert "CANNOT RUN" not in page
    assert (tmp_path / "out/flash.svg").is_file()


def test_every_study_is_tried() -> None:
    studies = {path.stem for path in RECIPES if "studies" in path.parts}
    assert studies == {*SAMPLES, "accuracy"}, "accuracy wants images of people: noise has no labels"
