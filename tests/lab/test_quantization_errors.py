"""Errors of layers: against figures made by hand, and TFLite's interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not here: the lab is not tested")
import keras
from keras import layers

from tests.lab.interpreted import probabilities
from tinysim.errors import RecipeError
from tinysim.lab.quantize.convert import convert
from tinysim.lab.quantize.errors import COLUMNS, layer_errors, rows
from tinysim.lab.quantize.qat import as_floats, fake_quantized


@pytest.fixture(scope="module")
def samples() -> Any:
    return np.random.default_rng(2).uniform(0, 1, (20, 8, 8, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> Any:
    """Both kinds of convolution, a dense layer, and one that only hands on."""
    keras.utils.set_random_seed(1)
    x = entry = keras.Input((8, 8, 2))
    x = layers.Conv2D(4, 3, activation="relu", name="first")(x)
    x = layers.DepthwiseConv2D(3, name="second")(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(3, name="logits")(x)
    return keras.Model(entry, layers.Softmax(name="probabilities")(x))


def by_layer(content: bytes, model: Any, samples: Any) -> dict[str, Any]:
    found = layer_errors(content, convert(model, "float32"), samples)
    assert [e.sqnr_db for e in found] == sorted(e.sqnr_db for e in found)
    return {error.layer: error for error in found}


def test_more_bits_are_less_noise(model: Any, samples: Any) -> None:
    narrow = by_layer(convert(model, "int8", samples), model, samples[:4])
    wide = by_layer(convert(model, "int16x8", samples), model, samples[:4])
    assert {"first", "second", "flat"} < narrow.keys()
    assert narrow.keys() == wide.keys()
    for name in ("first", "second"):
        assert 25 < narrow[name].sqnr_db < wide[name].sqnr_db < 80


def test_the_ratio_is_that_of_powers(model: Any, samples: Any) -> None:
    content = convert(model, "int8", samples)
    (last,) = (
        error
        for error in layer_errors(content, convert(model, "float32"), samples[:4])
        if error.op == "Softmax"
    )
    expected = model.predict(samples[:4], verbose=0).astype(np.float64)
    noise = expected - probabilities(content, samples[:4])
    assert last.sqnr_db == pytest.approx(
        10 * np.log10((expected**2).sum() / (noise**2).sum()), abs=1
    )


def test_a_layer_that_only_hands_on_loses_nothing(model: Any, samples: Any) -> None:
    found = by_layer(convert(model, "int8", samples), model, samples[:2])
    assert found["flat"].lost_db == 0
    assert found["flat"].sqnr_db == found["second"].sqnr_db


def test_a_model_trained_with_fake_quantization(model: Any, samples: Any) -> None:
    trained = fake_quantized(model, samples)
    found = by_layer(convert(trained, "int8"), as_floats(trained), samples[:2])
    assert all(error.sqnr_db > 20 for error in found.values())


def test_rows_are_text(model: Any, samples: Any) -> None:
    errors = layer_errors(convert(model, "uint8", samples), convert(model, "float32"), samples[:1])
    table = rows(errors)
    assert {len(row) for row in table} == {len(COLUMNS)}
    assert next(row for row in table if row[0] == "first")[1:3] == ("Conv2D", "1x6x6x4")
    assert all(row[3].endswith(" dB") for row in table)


def test_what_cannot_be_compared(model: Any, samples: Any) -> None:
    content = convert(model, "int8", samples)
    with pytest.raises(RecipeError, match="there are none"):
        layer_errors(content, convert(model, "float32"), samples[:0])
    entry = keras.Input((8, 8, 2))
    other = keras.Model(entry, layers.Flatten()(entry))
    with pytest.raises(RecipeError, match="layers are not the same"):
        layer_errors(content, convert(other, "float32"), samples)
