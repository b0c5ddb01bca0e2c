"""What a state costs and how well it does, against numbers worked out otherwise."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the lab needs TensorFlow: pip install tinysim[lab]")

import keras

import tinysim
from tests.lab import fakes
from tinysim.errors import RecipeError
from tinysim.lab import zoo
from tinysim.lab.data import scaled
from tinysim.lab.measure import (
    CONVERTED,
    Row,
    confusion_of,
    count_parameters,
    macro_scores,
    measure,
)
from tinysim.lab.model_files import save_model
from tinysim.lab.quantize.convert import convert
from tinysim.lab.quantize.qat import fake_quantized
from tinysim.lab.state import State

BOARDS = ("nano33ble",)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[keras.Model]:
    with fakes.installed(tmp_path_factory.mktemp("fakes")):
        keras.utils.set_random_seed(1)
        yield zoo.build("tiny", (8, 8, 1), 3, width=5)


@pytest.fixture(scope="module")
def floats(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[Row, Path]:
    folder = tmp_path_factory.mktemp("floats")
    state = State(save_model(model, folder / "model.keras"), notes={"said": "so"})
    return measure(state, fakes.dataset(), BOARDS, folder, chain=("model",)), folder


def test_accuracy_of_floats_is_that_of_keras(model: keras.Model, floats: tuple[Row, Path]) -> None:
    row, dataset = floats[0], fakes.dataset()
    predicted = model.predict(scaled(dataset.x_test), verbose=0).argmax(axis=1)
    assert row.accuracy is not None
    assert row.accuracy.value == np.mean(predicted == dataset.y_test)
    assert 0 <= row.accuracy.low < row.accuracy.value < row.accuracy.high <= 1
    assert np.sum(row.confusion) == row.samples == 20
    assert np.trace(row.confusion) == row.accuracy.value * 20


def test_stored_sizes_are_those_of_the_files(model: keras.Model, floats: tuple[Row, Path]) -> None:
    row, folder = floats
    content = (folder / CONVERTED).read_bytes()
    assert row.parameters == model.count_params() == 5 * 9 + 5 + 5 * 3 + 3
    assert row.float32_bytes == 4 * row.parameters
    assert row.tflite_bytes == len(content) > row.float32_bytes
    assert gzip.decompress(gzip.compress(content)) == content
    assert row.tflite_gzip_bytes == len(gzip.compress(content, mtime=0)) < row.tflite_bytes


def test_a_board_costs_what_a_run_says(floats: tuple[Row, Path]) -> None:
    row, folder = floats
    sample = scaled(fakes.dataset().x_test[:1])
    profile = tinysim.run(folder / CONVERTED, "nano33ble", inputs=[sample])
    (found,) = row.boards
    assert (found.board, found.verdict, found.overflow_bytes) == ("nano33ble", "FITS", 0)
    assert found.cycles == profile.cycles
    assert found.flash_bytes == profile.used_bytes("flash")
    assert found.ram_bytes == profile.used_bytes("ram")
    assert found.arena_bytes == profile.arena_bytes
    assert found.latency_s is not None
    assert (found.latency_s.low, found.latency_s.high) == profile.latency_band_s


def test_what_is_converted_is_measured_as_it_is(model: keras.Model, tmp_path: Path) -> None:
    dataset = fakes.dataset()
    content = convert(model, "int8", scaled(dataset.x_train))
    (tmp_path / "int8.tflite").write_bytes(content)
    row = measure(State(None, tmp_path / "int8.tflite"), dataset, ("nano33ble",), tmp_path)
    assert (row.parameters, row.float32_bytes, row.sparsity) == (None, None, None)
    assert row.tflite_bytes == len(content)
    assert not (tmp_path / CONVERTED).exists()


def test_zeros_are_counted(model: keras.Model) -> None:
    pruned = keras.models.clone_model(model)
    kernel = np.ones((3, 3, 1, 5), np.float32)
    kernel[0] = 0
    pruned.layers[1].set_weights([kernel, np.ones(5, np.float32)])
    total, nonzero = count_parameters(pruned)
    assert total - nonzero == 15 + 3  # and the biases of the last layer, which begin at zero


def test_ranges_of_fake_quantization_are_no_parameters(model: keras.Model) -> None:
    trained = fake_quantized(model, scaled(fakes.dataset().x_train))
    assert count_parameters(trained) == count_parameters(model)
    assert trained.count_params() > model.count_params()


def test_a_board_that_is_too_small_is_shown_with_its_overflow(tmp_path: Path) -> None:
    image = keras.Input((8, 8, 1))
    x = keras.layers.Dense(3000)(keras.layers.Flatten()(image))
    wide = keras.Model(image, keras.layers.Dense(3, activation="softmax")(x))
    state = State(save_model(wide, tmp_path / "wide.keras"))
    (found,) = measure(state, fakes.dataset(), ("nucleo_f401re",), tmp_path).boards
    assert found.verdict.startswith("DOES NOT FIT")
    assert found.overflow_bytes is not None and found.overflow_bytes > 0
    assert found.cycles is not None and found.cycles > 200_000


def test_a_state_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="neither"):
        measure(State(None), fakes.dataset(), (), tmp_path)


def test_confusion_and_scores() -> None:
    classes = np.array([0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 0, 1, 1, 0, 0])
    confusion = confusion_of(classes, predicted, 4)
    assert confusion.tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    precision, recall, f1 = macro_scores(confusion)  # the last class is nowhere, and left out
    assert precision == pytest.approx((2 / 4 + 1 / 2 + 0) / 3)
    assert recall == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert f1 == pytest.approx((4 / 7 + 1 / 2 + 0) / 3)
