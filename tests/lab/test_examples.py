"""The recipes that come with tinysim can be followed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="the lab needs TensorFlow: pip install tinysim[lab]")

from tests.conftest import ROOT
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
