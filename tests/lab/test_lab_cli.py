"""The commands of the lab: what they print, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

pytest.importorskip("tensorflow", reason="the lab needs TensorFlow: pip install tinysim[lab]")

from tests.lab import fakes
from tests.lab.test_table import row
from tinysim.cli import app
from tinysim.errors import LibraryError, RecipeError
from tinysim.lab.report.compare import compared, published
from tinysim.lab.report.table import ROWS, read_rows, to_json


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "digits.toml").write_text(fakes.recipe_text())
    with fakes.installed(tmp_path / "fakes"):
        yield tmp_path


def invoke(*words: object) -> Any:
    return CliRunner().invoke(app, ["lab", *map(str, words)], catch_exceptions=False)


def test_run_and_compare(folder: Path) -> None:
    out = folder / "out"
    result = invoke("run", folder / "digits.toml", "--mode", "small", "--out", out)
    assert result.exit_code == 0
    assert "int8" in result.stdout and "nano33ble" in result.stdout
    made = {path.name for path in out.iterdir() if path.is_file()}
    assert {ROWS, "table.md", "table.csv", "accuracy.svg", "flash.svg"} <= made
    result = invoke("compare", out)
    assert result.exit_code == 0
    assert "grow + more" not in result.stdout  # its recipe begins with grow: that is not said again
    assert "Post-training INT8" in result.stdout
    with pytest.raises(RecipeError, match="was not measured on rpi_pico"):
        invoke("compare", out, "--board", "rpi_pico")


def test_stages_are_listed(folder: Path) -> None:
    printed = invoke("stages", "--markdown").stdout
    assert "| grow | how | quick, slow | quick |" in printed
    assert "| freeze | scheme | text | must be given |" in printed


def test_wrong_modes_and_folders(folder: Path) -> None:
    assert invoke("run", folder / "digits.toml", "--mode", "tiny").exit_code == 2
    with pytest.raises(RecipeError, match="to the end"):
        invoke("compare", folder)


def test_without_tensorflow(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LibraryError, match=r'pip install "tinysim\[lab\]"') as caught:
        invoke("run", folder / "digits.toml")
    assert caught.value.exit_code == 4


def test_methods_side_by_side(tmp_path: Path) -> None:
    rows = (
        row(0, "model", 8, 1000),
        row(0, "prune", 7, 500),
        row(0, "prune/int8", 7, 100),
        row(1, "model", 8, 1000),
        row(1, "prune", 5, 700),
        row(1, "prune/int8", 8, 100),
    )
    (tmp_path / ROWS).write_text(to_json(rows))
    assert read_rows(tmp_path) == rows
    pruning, quantization = compared({"a": rows}, "nano33ble")
    assert pruning.lines == (
        ("a", "prune", "-40.0 % (± 14.1)", "-20.00 points (± 14.14)", "75.0 %", "1.00x smaller"),
    )
    assert quantization.lines == (
        ("a", "prune + int8", "-90.0 %", "-5.00 points (± 7.07)", "75.0 %", "1.00x smaller"),
    )


def test_the_tables_of_the_study_are_whole() -> None:
    pruning, quantization = published()
    assert (len(pruning.lines), len(quantization.lines)) == (4, 5)
    assert pruning.lines[0][3:] == ("-8 %", "-0.3 %", "60 %", "1.94x larger")
    assert quantization.lines[0][3:] == ("-75 %", "-10 %", "-", "4x smaller")
