"""Targets: what they say, what models cost in them, and that pruned models meet them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not here: the lab is not tested")
import keras
from typer.testing import CliRunner

import tinysim
from tinysim.budget.measure import measure
from tinysim.cli import app
from tinysim.errors import BoardError, RecipeError, TinysimError
from tinysim.lab.data import Dataset, load
from tinysim.lab.model_files import load_model, save_model
from tinysim.lab.prune import Pruned, Settings, prune
from tinysim.lab.prune.counted import count_macs, count_parameters, layer_macs, sizes_with
from tinysim.lab.prune.groups import channel_groups
from tinysim.lab.prune.remove import remove
from tinysim.lab.prune.target import Target, TargetError, parse_target
from tinysim.lab.quantize.convert import calibration_samples, convert
from tinysim.lab.train import TrainSettings, train
from tinysim.lab.zoo import build

BOARD = "nano33ble"


@pytest.mark.parametrize(
    ("text", "target", "shown"),
    [
        ("latency<50ms@nano33ble", Target("latency", 0.05, BOARD), "latency < 50 ms on nano33ble"),
        ("ram <= 64 KiB @ nano33ble", Target("ram", 65536, BOARD), "ram < 65,536 B on nano33ble"),
        ("cycles<2M@nano33ble", Target("cycles", 2e6, BOARD), None),
        ("macs<25%", Target("macs", 0.25), "macs < 25 %"),
        ("parameters<0.1", Target("parameters", 0.1), None),
    ],
)
def test_targets_are_read(text: str, target: Target, shown: str | None) -> None:
    assert parse_target(text) == target
    assert shown in (None, str(target))


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("latency<50@nano33ble", RecipeError, "has no unit"),
        ("latency<50ms", RecipeError, "needs a board"),
        ("macs<25%@nano33ble", RecipeError, "same on all boards"),
        ("macs<125", RecipeError, "more than 100 %"),
        ("latency>50ms@nano33ble", RecipeError, "no target"),
        ("beauty<50ms@nano33ble", RecipeError, "nothing to aim at"),
        ("flash<0 B@nano33ble", RecipeError, "more than 0"),
        ("latency<50ms@nano33blf", BoardError, "nano33ble"),
    ],
)
def test_targets_that_cannot_be_meant(text: str, error: type[TinysimError], said: str) -> None:
    with pytest.raises(error, match=said):
        parse_target(text)


def test_what_is_counted_is_what_removal_leaves() -> None:
    """Residual sums, depthwise kernels and all."""
    model = build("mobilenet_v2", (32, 32, 3), 4, alpha=0.35)
    groups = [group for group in channel_groups(model) if group.frozen is None]
    kept = {group.name: np.arange(0, group.size, 2) for group in groups[::2]}
    sizes = sizes_with(model, groups, kept)
    smaller = remove(model, kept)
    assert count_parameters(model, sizes) == smaller.count_params() < model.count_params()
    assert layer_macs(model, sizes) == layer_macs(smaller)


def test_macs_are_those_of_the_compiler(tmp_path: Path) -> None:
    model = build("lenet", (12, 12, 1), 4, alpha=0.25)
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(model, "float32"))
    assert count_macs(model) == tinysim.run(path, BOARD).macs


@pytest.fixture(scope="module")
def mnist(shared: Path) -> Dataset:
    """Some digits."""
    return load(shared / "datasets" / "mnist.npz").head(500, 200)


def _trained(mnist: Dataset, alpha: float) -> Any:
    keras.utils.set_random_seed(0)
    made = build("lenet", mnist.input_shape, 10, alpha=alpha)
    train(made, mnist, TrainSettings(epochs=1), seed=0)
    return made


def _measured(found: Pruned, mnist: Dataset, metric: str, folder: Path) -> float:
    """Simulate what came out as a user would."""
    path = folder / "pruned.tflite"
    path.write_bytes(convert(found.model, "int8", calibration_samples(mnist.x_train, 50, 0)))
    measured = measure(tinysim.run(path, BOARD), metric)
    assert measured is not None
    return measured.value


def test_a_latency_is_met_within_5_percent(mnist: Dataset, tmp_path: Path) -> None:
    settings = Settings(target="latency<50ms@nano33ble", schedule="one_shot", final_epochs=1)
    found = prune(_trained(mnist, 0.5), mnist, settings)
    assert 0.0475 <= _measured(found, mnist, "latency", tmp_path) <= 0.05
    assert found.start.cost > 0.09
    assert 2 <= found.simulations <= settings.most_tries


def test_ram_is_met_and_what_does_not_help_stays(mnist: Dataset, tmp_path: Path) -> None:
    """Dense layers take next to none of it."""
    settings = Settings(target="ram<6kB@nano33ble", schedule="one_shot", final_epochs=0)
    model = _trained(mnist, 0.25)
    found = prune(model, mnist, settings)
    assert 5700 <= _measured(found, mnist, "ram", tmp_path) <= 6000
    assert found.start.cost > 8000
    assert found.model.get_layer("dense_1").units == model.get_layer("dense_1").units


def test_the_command_prunes_a_users_model(mnist: Dataset, tmp_path: Path) -> None:
    layers = keras.layers
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            layers.Input(mnist.input_shape),
            layers.Conv2D(8, 5, strides=3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
            layers.Softmax(),
        ]
    )
    arrays = {name: getattr(mnist, name) for name in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(tmp_path / "digits.npz", **arrays)
    save_model(model, tmp_path / "mine.keras")
    words = ["lab", "prune", str(tmp_path / "mine.keras"), "--data", str(tmp_path / "digits.npz")]
    options = ["--schedule", "one_shot", "--final-epochs", "1"]
    target = ["--target", "flash<32kB@nano33ble"]
    ran = CliRunner().invoke(app, [*words, *options, *target])
    assert ran.exit_code == 0, ran.output
    profile = tinysim.run(tmp_path / "mine-pruned.tflite", BOARD)
    assert 0.95 * 32e3 <= profile.used_bytes("flash") <= 32e3
    assert load_model(tmp_path / "mine-pruned.keras").count_params() < model.count_params()
    flash = f"{profile.used_bytes('flash'):,} B"
    for said in ("parameters", "MACs", "latency", "int8 accuracy", flash):
        assert said in ran.output

    ran = CliRunner().invoke(app, [*words, *options, "--target", "latency<1us@nano33ble"])
    assert isinstance(ran.exception, TargetError)
    assert ran.exception.exit_code == 1
    assert "is the least" in str(ran.exception) and "of the cycles" in str(ran.exception)
