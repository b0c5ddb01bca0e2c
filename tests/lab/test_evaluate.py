"""Predictions: the same from the Keras model and from the file that it becomes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: the lab is not tested")

import keras

from tinysim.lab.data import Dataset, scaled
from tinysim.lab.evaluate import count_differences, evaluate
from tinysim.lab.quantize.convert import Scheme, convert
from tinysim.lab.zoo import build


@pytest.fixture(scope="module")
def noise() -> Dataset:
    random = np.random.default_rng(0)
    x, y = random.integers(0, 256, (300, 12, 12, 1), dtype=np.uint8), np.arange(300) % 3
    return Dataset("noise", x, y, x, y, ("a", "b", "c"), "made here")


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(2)
    made = build("lenet", (12, 12, 1), 3, alpha=0.2)
    # Larger logits, or all samples are of one class.
    logits = made.get_layer("logits")
    logits.kernel.assign(logits.kernel * 20)
    return made


def test_a_keras_model_is_judged_on_every_test_sample(model: keras.Model, noise: Dataset) -> None:
    expected = model.predict(scaled(noise.x_test), verbose=0).argmax(1)
    found = evaluate(model, noise)
    assert np.array_equal(found, expected) and found.dtype == np.int64
    assert len(set(found)) > 1, "else this shows nothing"


@pytest.mark.parametrize("scheme", ["float32", "int8", "int16x8"])
def test_a_file_is_judged_as_the_device_would(
    model: keras.Model, noise: Dataset, tmp_path: Path, scheme: Scheme
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(model, scheme, scaled(noise.x_train[:50])))
    agree = np.mean(evaluate(path, noise) == evaluate(model, noise))
    assert agree > {"float32": 0.99, "int16x8": 0.97, "int8": 0.9}[scheme]
    outputs, classes = count_differences(path, noise.head(1, 12))
    assert classes == 0
    assert scheme != "int8" or outputs <= 6, "TFLite Micro rounds dense layers twice"
