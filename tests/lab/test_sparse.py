"""What leaving zeros out brings: reports that add up, and the stage that records the choice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import tinysim
from tests import tflite_models as models
from tests.test_sparse import thinned
from tinysim.cli import app
from tinysim.compiler.graph import DType
from tinysim.compiler.readers import read_model
from tinysim.compiler.reference import Reference
from tinysim.compiler.sparse import ENCODINGS
from tinysim.errors import InternalError, RecipeError
from tinysim.lab import zoo
from tinysim.lab.data import Dataset
from tinysim.lab.model_files import save_model
from tinysim.lab.report.sparse_table import WON, image_table, layer_table
from tinysim.lab.sparse import Comparison, Curve, break_even, compare
from tinysim.lab.sparse_bench import DENSE, Cost, Shape
from tinysim.lab.stages import Context, sparse
from tinysim.lab.state import State

BOARD = "rpi_pico"
#: How ``balanced`` stores the model below.
CHOSEN = "crs16"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolution that is pruned."""
    x = models.int8((1, 6, 6, 16), 0.5, 3)
    filter_ = models.constant(thinned((24, 3, 3, 16), 0.1), (0.01,), 0)
    bias = models.constant(np.arange(24, dtype=np.int32), (0.005,))
    path = tmp_path_factory.mktemp("sparse") / "pruned.tflite"
    path.write_bytes(models.conv_2d(x, filter_, bias, models.int8((), 0.5, 5)))
    return path


@pytest.fixture(scope="module")
def comparison(model: Path) -> Comparison:
    return compare(read_model(model), model.name, BOARD)


def test_sums(model: Path, comparison: Comparison) -> None:
    (layer,) = comparison.layers
    assert layer.weights == 24 * 9 * 16
    assert 0 < layer.density == layer.non_zeros / layer.weights < 0.2
    assert set(layer.constant_bytes) == set(layer.cycles) == {DENSE, *ENCODINGS}
    # `runs` would take 483 bytes less, and 6 % more cycles: too many for `balanced`.
    assert layer.chosen == CHOSEN == min(layer.cycles, key=layer.cycles.__getitem__)
    for way, cost in comparison.whole.items():
        # The only layer's arrays are all the weights that the image has, and begin at words.
        assert 0 <= cost.weights_bytes - layer.constant_bytes[way] < 16
        assert cost.weights_bytes < cost.flash_bytes
        assert layer.cycles[way] < cost.cycles
        assert cost.energy_j is not None and cost.energy_j > 0
    per_cycle = {cost.energy_j / cost.cycles for cost in comparison.whole.values() if cost.energy_j}
    per_cycle |= {joules / layer.cycles[way] for way, joules in layer.energy_j.items() if joules}
    assert max(per_cycle) == pytest.approx(min(per_cycle))


def test_it_is_what_a_run_says(model: Path, comparison: Comparison) -> None:
    for cost, choice in ((comparison.whole[DENSE], "never"), (comparison.auto, "auto")):
        profile = tinysim.run(model, BOARD, optimize="balanced", sparse=choice)
        assert profile.output_check.status == "exact"
        assert (cost.flash_bytes, cost.cycles) == (profile.used_bytes("flash"), profile.cycles)
        assert cost.weights_bytes == profile.used_bytes("flash", "weights")
        assert cost.ram_bytes == profile.used_bytes("ram")
    assert comparison.auto == comparison.whole[CHOSEN]


@pytest.mark.parametrize("dtype", [DType.INT8, DType.FLOAT32])
def test_the_fewer_weights_the_leaner_and_faster(dtype: DType) -> None:
    densities = (0.05, 0.4)
    shape = Shape.dense(16, 64, dtype)
    curve = break_even(shape, "generic_m0plus", densities=densities)
    assert list(curve.costs) == [*densities]
    thin, thick = curve.costs.values()
    for way in ENCODINGS:
        assert thin[way].weights_bytes < thick[way].weights_bytes
        assert thin[way].cycles < thick[way].cycles
        assert 0 <= curve.wins_below(way, "cycles") < 0.4
    assert thin[DENSE].weights_bytes == thick[DENSE].weights_bytes
    assert thin[DENSE].energy_j is None


def invoke(*words: object) -> Any:
    command = ["lab", "sparse", *map(str, words), "--board", BOARD]
    return CliRunner().invoke(app, command, catch_exceptions=False)


def cost(flash_bytes: int) -> Cost:
    return Cost(flash_bytes, 0, 0, 1, None)


@pytest.mark.parametrize(
    ("sizes", "at"),
    [
        ((50, 90, 150), 0.2 + 0.2 * 10 / 60),
        ((50, 100, 150), 0.2),
        ((120, 130, 140), 0.0),
        ((50, 60, 70), 0.4),
    ],
)
def test_a_win_is_where_two_lines_meet(sizes: tuple[int, ...], at: float) -> None:
    points = zip((0.1, 0.2, 0.4), sizes, strict=True)
    costs = {density: {DENSE: cost(100), "crs8": cost(size)} for density, size in points}
    curve = Curve(Shape.dense(1, 1), "b", "size", costs)
    assert curve.wins_below("crs8", "flash_bytes") == pytest.approx(at)
    assert curve.wins_below("runs", "flash_bytes") == 0.0


def test_a_wrong_output_is_no_result(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(Reference):
        def infer(self, inputs):  # type: ignore[no-untyped-def]
            return tuple(np.zeros_like(value) for value in super().infer(inputs))

    monkeypatch.setattr("tinysim.lab.sparse_bench.Reference", Other)
    with pytest.raises(InternalError, match="differs"):
        compare(read_model(model), model.name, BOARD)


def test_tables_say_what_was_measured(comparison: Comparison) -> None:
    (layer,) = comparison.layers
    sizes = {0.1: (50, 90), 0.3: (150, 130), 0.6: (300, 190)}
    costs = {
        density: {DENSE: Cost(0, 100, 0, 100, None), "runs": Cost(0, size, 0, cycles, None)}
        for density, (size, cycles) in sizes.items()
    }
    named = replace(layer, name="a\nb", chosen="runs")
    curve = Curve(layer.shape, BOARD, "balanced", costs)
    table = layer_table(replace(comparison, layers=(named,)), {layer.shape: curve})
    dense, runs = table.lines
    assert dense[:3] == ("0 a b", f"{layer.density * 100:.4g} %", DENSE)
    assert dense[-2:] == ("-", "-")
    assert runs[2:5] == (
        "runs, chosen",
        f"{layer.constant_bytes['runs']:,} B",
        f"{layer.cycles['runs']:,}",
    )
    assert table.headings[-2:] == ("smaller below", "faster below")
    assert runs[-2:] == ("20 %", "15 %")
    *_, auto = image_table(comparison).lines
    assert auto[:2] == ("--sparse auto", f"{comparison.auto.flash_bytes:,} B")


def test_the_command_wants_weights(tmp_path: Path) -> None:
    path = tmp_path / "without.tflite"
    path.write_bytes(models.softmax(models.int8((1, 4), 0.5, 3)))
    with pytest.raises(RecipeError, match="no layer with weights"):
        invoke(path)
    assert invoke(path, "--optimize", "most").exit_code == 2


def test_the_command_says_what_to_prune_to(model: Path) -> None:
    printed = invoke(model, "--markdown").stdout
    headings, _, dense, *encoded = [line for line in printed.splitlines() if line[:1] == "|"]
    assert all(f"| {heading} |" in headings for heading in WON)
    assert f"| {DENSE} |" in dense
    for line, way in zip(encoded, ENCODINGS, strict=False):
        assert f"| {way}{', chosen' if way == CHOSEN else ''} |" in line
        assert line.count(" % |") == 2


def test_the_command_quantizes_what_keras_has_saved(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras", reason="the lab needs Keras: pip install tinysim[lab]")
    from tinysim.lab.model_files import save_model

    inputs = keras.Input((32,))
    whole = keras.Model(inputs, keras.layers.Dense(8)(inputs))
    kernel, bias = whole.get_weights()
    kernel[8:] = 0
    whole.set_weights([kernel, bias])
    result = invoke(save_model(whole, tmp_path / "whole.keras"))
    assert result.exit_code == 0 and "25 %" in result.stdout


def context(folder: Path, *boards: str) -> Context:
    nothing = np.zeros((0, 1))
    none = np.zeros(0, np.int64)
    return Context(Dataset("", nothing, none, nothing, none, (), ""), folder, 0, boards)


def float_model(folder: Path) -> Path:
    """The same convolution with floats."""
    filter_ = models.constant(thinned((24, 3, 3, 16), 0.1, dtype="float32"))
    path = folder / "float.tflite"
    x = models.float32((1, 6, 6, 16))
    path.write_bytes(models.conv_2d(x, filter_, None, models.float32(())))
    return path


def test_floats(tmp_path: Path) -> None:
    model = float_model(tmp_path)
    found = compare(read_model(model), model.name, BOARD)
    (layer,) = found.layers
    # Next to products without an FPU, reading is cheap: `crs16` would bring 0.1 % for 349 bytes.
    assert layer.chosen == "crs8"
    assert found.auto == found.whole["crs8"]
    for way in ENCODINGS:
        assert layer.cycles[way] < layer.cycles[DENSE]
        assert found.whole[way].flash_bytes < found.whole[DENSE].flash_bytes
    after = sparse.run(sparse.Settings(), context(tmp_path, BOARD), State(None, tflite=model))
    (note,) = after.notes.values()
    assert note.startswith("1 of 1 layers, ")


def test_the_stage_records_the_choice(model: Path, tmp_path: Path) -> None:
    before = State(None, tflite=model, notes={"of": "before"}, choices={"patches": True})
    after = sparse.run(sparse.Settings(), context(tmp_path, BOARD), before)
    assert after.tflite == model
    assert after.choices == {"patches": True, "sparse": "auto", "optimize": "balanced"}
    profile = tinysim.run(model, BOARD, **after.choices)
    assert [layer.kernel for layer in profile.layers] == ["conv_2d_sparse_s8"]
    (note,) = after.notes.values()
    assert note.startswith("1 of 1 layers, ")


def test_the_stage_takes_floats_that_are_not_converted(tmp_path: Path) -> None:
    model = zoo.build("lenet", (12, 12, 1), 3, alpha=0.25)
    for variable in model.trainable_variables:
        kept = np.random.default_rng(0).random(variable.shape) < 0.05
        variable.assign(variable * kept)
    before = State(save_model(model, tmp_path / "model.keras"))
    after = sparse.run(sparse.Settings(), context(tmp_path, BOARD), before)
    assert (after.keras, after.tflite) == (before.keras, None)
    assert after.choices == {"sparse": "auto", "optimize": "balanced"}
    assert after.notes[f"sparse on {BOARD}"].startswith("3 of ")
    with pytest.raises(RecipeError, match="neither a Keras model nor"):
        sparse.run(sparse.Settings(), context(tmp_path, BOARD), State(None))


@pytest.mark.parametrize("settings", [{"sparse": "yes"}, {"optimize": "all"}])
def test_settings_that_make_no_sense(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"sparse|optimize"):
        sparse.Settings(**settings)
